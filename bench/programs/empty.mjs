// An empty program.
export {};
