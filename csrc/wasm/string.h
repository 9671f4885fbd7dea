/* The compiler's own, which become instructions: there is no library. */
#define memcpy __builtin_memcpy
#define memset __builtin_memset
