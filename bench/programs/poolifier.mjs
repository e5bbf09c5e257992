import "poolifier";
