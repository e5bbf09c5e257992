import "jest-worker";
