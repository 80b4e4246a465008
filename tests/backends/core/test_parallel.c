/* test_parallel.c - a program that uses the thread pool (ext/parallel.c) in every way. It prints
 * "ok", or aborts. tests/test_core_threads.py compiles and runs it; scripts/sanitize.sh does so
 * under ThreadSanitizer and AddressSanitizer. */
#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 10007, GRAIN = 64 };

#define CHECK(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s, line %d\n", #condition, __LINE__), abort()))

struct task {
    const uint32_t *x;
    uint32_t *out;
    size_t begin; /* of the outer piece, for a loop inside a loop */
};

static void triple(const void *task, size_t begin, size_t end)
{
    const struct task *t = task;
    CHECK(end - begin <= GRAIN);
    for (size_t i = begin; i < end; i++)
        t->out[t->begin + i] = 3 * t->x[t->begin + i];
}

static void nested(const void *task, size_t begin, size_t end)
{
    struct task inner = *(const struct task *)task;
    inner.begin = begin;
    parallel_for(end - begin, GRAIN, triple, &inner);
}

static void count(const void *task, size_t begin, size_t end)
{
    (void)begin, (void)end;
    atomic_fetch_add((atomic_int *)task, 1);
}

/* A grain of 0 counts as 1, and a grain beyond the length is one piece: no endless loop, no
 * division by 0. */
static void extreme_grains(void)
{
    static const struct {
        size_t n, grain;
        int pieces;
    } cases[] = {{0, 0, 0}, {1, 0, 1}, {9, 0, 9}, {9, 1, 9}, {9, SIZE_MAX, 1}, {0, SIZE_MAX, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_int pieces = 0;
        parallel_for(cases[i].n, cases[i].grain, count, &pieces);
        CHECK(pieces == cases[i].pieces);
    }
}

/* Loops of all lengths, each checked; different arrays in each thread and at each loop. */
static void *loops(void *seed)
{
    static const size_t lengths[] = {0, 1, GRAIN - 1, GRAIN, GRAIN + 1, 2 * GRAIN, 1009, N};
    uint32_t *x = malloc(N * sizeof *x), *out = malloc(N * sizeof *out);
    CHECK(x && out);
    for (size_t round = 0; round < 400; round++) {
        const size_t n = lengths[round % 8];
        for (size_t i = 0; i < N; i++)
            x[i] = (uint32_t)(i * 2654435761u + round + (uintptr_t)seed), out[i] = 0;
        const struct task task = {x, out, 0};
        if (round % 3 == 0)
            parallel_for(n, 1000, nested, &task);
        else
            parallel_for(n, GRAIN, triple, &task);
        for (size_t i = 0; i < N; i++)
            CHECK(out[i] == (i < n ? 3 * x[i] : 0));
    }
    free(x), free(out);
    return NULL;
}

static void in_threads(size_t count, void *(*body)(void *))
{
    pthread_t threads[8];
    for (size_t i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, body, (void *)(i + 1)) == 0);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void *change_threads(void *unused)
{
    for (int i = 0; i < 2000; i++)
        set_threads(1 + i % 5);
    return unused;
}

static void *loops_or_settings(void *number)
{
    return (uintptr_t)number == 1 ? change_threads(number) : loops(number);
}

static void in_a_child(void)
{
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60); /* a child that waits for threads it does not have */
        set_threads(3);
        loops(NULL);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void *forks(void *unused)
{
    for (int i = 0; i < 5; i++)
        in_a_child();
    return unused;
}

static void *loops_or_forks(void *number)
{
    return (uintptr_t)number == 1 ? forks(number) : loops(number);
}

int main(int count, char **arguments)
{
    (void)arguments;
    /* with any argument: without fork(), which QEMU's emulation of a process does not survive, and
       after which a lock of AddressSanitizer's own may stay taken */
    const int fork_too = count < 2;
    if (fork_too)
        in_a_child(); /* before there are threads */
    for (int threads = 1; threads <= 5; threads++) {
        set_threads(threads);
        CHECK(get_threads() == threads);
        loops(NULL);
        extreme_grains();
    }
    set_threads(0);
    CHECK(get_threads() == 1);
    set_threads(4);
    in_threads(4, loops);
    in_threads(3, loops_or_settings);
    set_threads(3);
    if (fork_too) {
        in_a_child();
        in_threads(3, loops_or_forks); /* while others are inside */
    }
    puts("ok");
    return 0;
}
