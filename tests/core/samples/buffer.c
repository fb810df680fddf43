/* A growable buffer. */
#ifndef BUFFER_H
#define BUFFER_H
#include <stdio.h>

#define BUFFER_SIZE 1024
#define MIN(a, b) \
    ((a) < (b) ? (a) : (b))

/* One buffer. */
typedef struct buffer {
    char *data;
    size_t (*grow)(struct buffer *self, size_t by);
} buffer_t;

typedef struct { int x, y; } point;
enum mode { READ = 1, WRITE };
union both { int i; float f; };
typedef int (*compare)(const void *, const void *);

extern int buffer_count;
static const char *names[] = { "a", "b" };
int buffer_init(buffer_t *b);

/* Appends bytes. */
static inline char *
buffer_append(buffer_t *b, const char *data, size_t n)
{
    int local = 1;
    return 0;
}
#endif
