/* Memory for one call: blocks are taken from the end and never given back, since an instance ends soon. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern unsigned char __heap_base;

#define PAGE 65536u
#define HEADER 16u

static uintptr_t heap;

void *malloc(size_t size) {
  if (heap == 0) heap = ((uintptr_t)&__heap_base + 15u) & ~(uintptr_t)15u;
  if (size > UINT32_MAX - HEADER - 15u) abort();
  uintptr_t block = heap + HEADER;
  size_t whole = (size + 15u) & ~(size_t)15u;
  if (whole > UINT32_MAX - block) abort();
  uintptr_t end = block + whole;
  size_t have = __builtin_wasm_memory_size(0);
  size_t need = end / PAGE + (end % PAGE != 0);
  if (need > have && __builtin_wasm_memory_grow(0, need - have) == (size_t)-1) abort();
  *(size_t *)(block - HEADER) = size;
  heap = end;
  return (void *)block;
}

void *realloc(void *from, size_t size) {
  if (from == NULL) return malloc(size);
  size_t had = *(size_t *)((uintptr_t)from - HEADER);
  if (size <= had) return from;
  void *to = malloc(size);
  return memcpy(to, from, had);
}

void free(void *block) { (void)block; }

_Noreturn void abort(void) { __builtin_trap(); }

/* With bulk memory these become single instructions. */
void *memcpy(void *to, const void *from, size_t size) { return __builtin_memcpy(to, from, size); }

void *memmove(void *to, const void *from, size_t size) { return __builtin_memmove(to, from, size); }

void *memset(void *to, int byte, size_t size) { return __builtin_memset(to, byte, size); }

int memcmp(const void *a, const void *b, size_t size) {
  const unsigned char *left = a, *right = b;
  for (size_t n = 0; n < size; n++)
    if (left[n] != right[n]) return left[n] < right[n] ? -1 : 1;
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}
