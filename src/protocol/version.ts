/** Of this library, as in its package. */
export const LIBRARY_VERSION = "0.1.0";
