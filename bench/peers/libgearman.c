// libgearman's own client and worker, for bench/gearman.mjs: numbers in, numbers plus one out.
//
//   libgearman client <port> <jobs> <outstanding>     prints {"perSecond":…,"micros":…}
//   libgearman worker <port>                          until SIGTERM, then prints {"micros":…}
#include <libgearman/gearman.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static long micros_used(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static long long sum = 0;

static gearman_return_t completed(gearman_task_st *task) {
  char text[32] = {0};
  size_t size = gearman_task_data_size(task);
  memcpy(text, gearman_task_data(task), size < 31 ? size : 31);
  sum += atoll(text);
  return GEARMAN_SUCCESS;
}

static int client(in_port_t port, long jobs, long outstanding) {
  gearman_client_st *client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", port);
  gearman_client_add_options(client, GEARMAN_CLIENT_FREE_TASKS);
  gearman_client_set_complete_fn(client, completed);
  double started = seconds();
  long before = micros_used();
  for (long done = 0; done < jobs;) {
    long batch = jobs - done < outstanding ? jobs - done : outstanding;
    for (long i = 0; i < batch; i++) {
      char text[32];
      int size = snprintf(text, sizeof text, "%ld", done + i);
      gearman_return_t code;
      gearman_client_add_task(client, NULL, NULL, "increment", NULL, text, size, &code);
      if (code != GEARMAN_SUCCESS) return 1;
    }
    if (gearman_client_run_tasks(client) != GEARMAN_SUCCESS) return 2;
    done += batch;
  }
  double took = seconds() - started;
  if (sum != (long long)jobs * (jobs + 1) / 2) return 3;
  printf("{\"perSecond\":%f,\"micros\":%ld}\n", jobs / took, micros_used() - before);
  gearman_client_free(client);
  return 0;
}

static volatile sig_atomic_t is_over = 0;

static void stop(int signal) {
  (void)signal;
  is_over = 1;
}

static gearman_return_t increment(gearman_job_st *job, void *context) {
  (void)context;
  char text[32] = {0};
  size_t size = gearman_job_workload_size(job);
  memcpy(text, gearman_job_workload(job), size < 31 ? size : 31);
  char result[32];
  int length = snprintf(result, sizeof result, "%lld", atoll(text) + 1);
  return gearman_job_send_complete(job, result, length) == GEARMAN_SUCCESS ? GEARMAN_SUCCESS : GEARMAN_ERROR;
}

static int worker(in_port_t port) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  gearman_worker_st *worker = gearman_worker_create(NULL);
  gearman_worker_add_server(worker, "127.0.0.1", port);
  gearman_function_t function = gearman_function_create(increment);
  gearman_worker_define_function(worker, "increment", strlen("increment"), function, 0, NULL);
  // Looks for the signal once in a while.
  gearman_worker_set_timeout(worker, 500);
  while (!is_over) gearman_worker_work(worker);
  printf("{\"micros\":%ld}\n", micros_used());
  return 0;
}

int main(int count, char **words) {
  if (count == 5) return client(atoi(words[2]), atol(words[3]), atol(words[4]));
  if (count == 3) return worker(atoi(words[2]));
  return 64;
}
