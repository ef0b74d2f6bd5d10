/* The little of a C library that the bindings need. */
#ifndef SELARAS_STDLIB_H
#define SELARAS_STDLIB_H
#include <stddef.h>

void *malloc(size_t size);
void *realloc(void *from, size_t size);
void free(void *block);
_Noreturn void abort(void);
#endif
