import "piscina";
