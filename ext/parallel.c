/* parallel.c - a pool of threads for loops whose pieces are independent.
 *
 * The caller publishes a job and starts on it at once; the pool's threads join if they are awake in time. All of them take
 * pieces from one counter until none is left. The caller then closes the job and waits only for those that have joined:
 * nobody waits for a thread that never got a processor, which is what makes barriers collapse on a busy machine.
 *
 *     state = generation << 32 | OPEN | number of threads inside
 *
 * A thread joins by adding 1 to `state` while OPEN is set (compare and swap), so no thread enters a closed job, and the
 * caller may reuse the job's memory when the number is back at 0. Threads without work spin for some microseconds, then sleep.
 *
 * A caller that finds the pool taken, by another Python thread or by a loop around it, does its whole loop itself. After
 * fork() the child has no threads; it forgets the parent's and starts its own at its first loop. */
#include "parallel.h"

#include <stdbool.h>
#include <stdint.h>

#if defined(_WIN32) || defined(__STDC_NO_ATOMICS__)

static int wanted = 1;
void set_threads(int count) { wanted = count; }
int get_threads(void) { return wanted; }

void parallel_for(size_t n, size_t grain, void (*body)(const void *, size_t, size_t), const void *task)
{
    for (size_t begin = 0; begin < n; begin += grain)
        body(task, begin, n - begin < grain ? n : begin + grain);
}

#else

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { MAX_THREADS = 256, SPINS = 2000 };
#define OPEN ((uint64_t)1 << 31)
#define INSIDE (OPEN - 1)
#define GENERATION ((uint64_t)1 << 32)

static struct {
    void (*body)(const void *, size_t, size_t);
    const void *task;
    size_t n, grain;
    atomic_size_t next;
} job;

static _Atomic uint64_t state;
static atomic_int wanted = 1, sleeping;
static atomic_flag taken = ATOMIC_FLAG_INIT;
static int started; /* threads of the pool; written only by the one who holds `taken` */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_pieces(void)
{
    for (;;) {
        const size_t begin = atomic_fetch_add(&job.next, job.grain);
        if (begin >= job.n)
            return;
        job.body(job.task, begin, job.n - begin < job.grain ? job.n : begin + job.grain);
    }
}

/* The state of a job after the one of `generation`; sleeps if there is none for a while. */
static uint64_t wait_for_job(uint64_t generation)
{
    for (int i = 0; i < SPINS; i++) {
        const uint64_t s = atomic_load(&state);
        if ((s & OPEN) && s / GENERATION != generation)
            return s;
        pause_briefly();
    }
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&sleeping, 1); /* before the last look: the publisher looks at `sleeping` after it has published */
    uint64_t s;
    while (!(s = atomic_load(&state), (s & OPEN) && s / GENERATION != generation))
        pthread_cond_wait(&wake, &lock);
    atomic_fetch_sub(&sleeping, 1);
    pthread_mutex_unlock(&lock);
    return s;
}

static void *work(void *number)
{
    uint64_t generation = 0;
    for (;;) {
        uint64_t s = wait_for_job(generation);
        generation = s / GENERATION;
        /* thread k of the pool joins only while k + 1 < wanted: set_threads() may have lowered it */
        if ((int)(intptr_t)number + 1 >= atomic_load(&wanted))
            continue;
        while ((s & OPEN) && s / GENERATION == generation)
            if (atomic_compare_exchange_weak(&state, &s, s + 1)) {
                take_pieces();
                atomic_fetch_sub(&state, 1);
                break;
            }
    }
    return NULL;
}

static void forget(void) /* in a child after fork(): its only thread is the caller */
{
    atomic_store(&state, 0);
    atomic_store(&sleeping, 0);
    atomic_flag_clear(&taken);
    started = 0;
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
}

static void start_threads(int count)
{
    static bool registered;
    if (!registered) {
        pthread_atfork(NULL, NULL, forget);
        registered = true;
    }
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (; started < count; started++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, work, (void *)(intptr_t)started) != 0)
            break; /* no more threads to be had: those that run do the work */
    }
    pthread_attr_destroy(&attributes);
}

void set_threads(int count) { atomic_store(&wanted, count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count); }
int get_threads(void) { return atomic_load(&wanted); }

void parallel_for(size_t n, size_t grain, void (*body)(const void *, size_t, size_t), const void *task)
{
    const int threads = atomic_load_explicit(&wanted, memory_order_relaxed);
    if (n <= grain || threads == 1 || atomic_flag_test_and_set(&taken)) {
        for (size_t begin = 0; begin < n; begin += grain)
            body(task, begin, n - begin < grain ? n : begin + grain);
        return;
    }
    if (started < threads - 1)
        start_threads(threads - 1);
    job.body = body;
    job.task = task;
    job.n = n;
    job.grain = grain;
    atomic_store(&job.next, 0);
    atomic_store(&state, (atomic_load(&state) / GENERATION + 1) * GENERATION | OPEN);
    if (atomic_load(&sleeping) > 0) {
        pthread_mutex_lock(&lock);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&lock);
    }
    take_pieces();
    atomic_fetch_and(&state, ~OPEN);
    for (int i = 0; atomic_load(&state) & INSIDE; i++) {
        if (i < SPINS)
            pause_briefly();
        else
            sched_yield(); /* one of the others may be waiting for this processor */
    }
    atomic_flag_clear(&taken);
}

#endif
