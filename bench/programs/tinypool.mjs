import "tinypool";
