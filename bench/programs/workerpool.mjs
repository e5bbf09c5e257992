import "workerpool";
