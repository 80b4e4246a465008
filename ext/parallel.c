/* parallel.c - a pool of threads for loops whose pieces are independent.
 *
 * The caller publishes a job and starts on it at once; the pool's threads join if they are awake in
 * time. The pieces are divided into as many parts as there are threads. Each thread takes the
 * pieces of its own part, in order, and then those that are left of other parts (affinity
 * scheduling: Markatos and LeBlanc 1994). So each thread goes through memory in long runs, and
 * finds in its own cache what it wrote in the loop before. With pieces taken in turn from one
 * counter, a sum of 16 MB took a quarter longer, because each core prefetched what another one
 * would use. When no piece is left, the caller closes the job and waits only for the threads that
 * have joined. Nobody waits for a thread that never got a processor, which is what makes barriers
 * collapse on a busy machine.
 *
 * Everything but the parts' counters is changed under one lock, held for nanoseconds. A thread that
 * has to wait spins for some microseconds, about as long as it takes to wake a thread, and then
 * sleeps. The system lets a thread that has slept run as soon as there is work; a thread that has
 * spun its time away has to wait behind others.
 *
 * A caller that finds the pool taken, by another Python thread or by a loop around it, does its
 * whole loop itself. After fork() the child has none of the threads: it forgets them, and starts
 * its own at its first loop. */
#define _GNU_SOURCE /* for the affinity of threads, on Linux */
#include "parallel.h"

#include <stdbool.h>
#include <stdint.h>

static void alone(size_t n, size_t grain, void (*body)(const void *, size_t, size_t),
                  const void *task)
{
    for (size_t begin = 0; begin < n; begin += grain)
        body(task, begin, n - begin < grain ? n : begin + grain);
}

#if defined(_WIN32) || defined(__STDC_NO_ATOMICS__)

void set_threads(int count) { (void)count; }
int get_threads(void) { return 1; }

void parallel_for(size_t n, size_t grain, void (*body)(const void *, size_t, size_t),
                  const void *task)
{
    alone(n, grain > 0 ? grain : 1, body, task);
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#if defined(__linux__) && defined(CPU_SET)
#define AFFINITY
#endif

/* Rounds of spinning, of some 10 to 70 ns each. For a job: about as long as it takes to wake a
 * thread. For the last pieces of others: about as long as a piece takes, since whoever sleeps then
 * gives its processor away in the middle of its work. */
enum { MAX_THREADS = 256, FOR_A_JOB = 1000, FOR_LAST_PIECES = 5000 };

static atomic_int wanted = 1;
static atomic_flag taken = ATOMIC_FLAG_INIT; /* by the one caller that may publish a job */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
static int started, sleeping; /* threads of the pool, and those of them that are in `sleepers` */

struct part {
    _Alignas(64) atomic_size_t next; /* where its next piece begins; in a cache line of its own */
    size_t end;
};

static struct {
    void (*body)(const void *, size_t, size_t);
    const void *task;
    size_t grain;
    struct part part[MAX_THREADS];
    int parts;
    int places;         /* for threads that may still join; a job without places is closed */
    atomic_int inside;  /* threads that have joined and not left */
    atomic_uint number; /* a thread joins a job at most once */
} job; /* `inside` and `number` are atomic because threads that spin read them without the lock */

/* A sleeping thread of the pool; the one that fell asleep last is woken first. */
static struct sleeper {
    struct sleeper *next;
    pthread_t thread;
    pthread_cond_t called;
    bool awake;
#ifdef AFFINITY
    double since; /* seconds */
    bool moved;
    cpu_set_t allowed; /* where it might run before it was moved */
#endif
} *sleepers;

/* Linux may wake a thread on the processor of the caller, where it then waits for milliseconds
 * while others are idle: in a virtual machine, a processor that has been idle for a while looks
 * like one that the host has taken away (vcpu_is_preempted in the scheduler). So after a longer
 * sleep a thread is woken with the caller's processor forbidden, which costs the caller some
 * microseconds. Then the thread allows itself again what it was allowed before. */
#ifdef AFFINITY
static const double LONG_SLEEP = 1e-4;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static void note_time(struct sleeper *s) { s->since = seconds(); }
static void send_elsewhere(struct sleeper *s)
{
    const int here = sched_getcpu();
    if (seconds() - s->since < LONG_SLEEP || here < 0 ||
        pthread_getaffinity_np(s->thread, sizeof s->allowed, &s->allowed) != 0)
        return;
    cpu_set_t others = s->allowed;
    CPU_CLR((size_t)here, &others);
    s->moved = CPU_COUNT(&others) > 0 &&
               pthread_setaffinity_np(s->thread, sizeof others, &others) == 0;
}
static void allow_everywhere(struct sleeper *s)
{
    if (s->moved)
        pthread_setaffinity_np(s->thread, sizeof s->allowed, &s->allowed);
}
#else
static void note_time(struct sleeper *s) { (void)s; }
static void send_elsewhere(struct sleeper *s) { (void)s; }
static void allow_everywhere(struct sleeper *s) { (void)s; }
#endif

/* Both are called with the lock held; fall_asleep() returns with it held. */
static void fall_asleep(void)
{
    struct sleeper me = {
        .next = sleepers, .thread = pthread_self(), .called = PTHREAD_COND_INITIALIZER};
    note_time(&me);
    sleepers = &me;
    sleeping++;
    while (!me.awake)
        pthread_cond_wait(&me.called, &lock);
    pthread_mutex_unlock(&lock);
    allow_everywhere(&me);
    pthread_mutex_lock(&lock);
}

static void wake_one(void)
{
    struct sleeper *s = sleepers;
    sleepers = s->next;
    sleeping--;
    s->awake = true;
    send_elsewhere(s);
    pthread_cond_signal(&s->called);
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_pieces(int thread)
{
    for (int k = 0; k < job.parts; k++) {
        struct part *part = &job.part[(thread + k) % job.parts];
        size_t begin;
        while ((begin = atomic_fetch_add_explicit(&part->next, job.grain, memory_order_relaxed)) <
               part->end)
            job.body(job.task, begin,
                     part->end - begin < job.grain ? part->end : begin + job.grain);
    }
}

static void *work(void *number) /* what a thread of the pool does; the caller has the number 0 */
{
    const int thread = (int)(intptr_t)number;
    unsigned seen = 0;
    pthread_mutex_lock(&lock);
    for (;;) {
        const bool join = job.places > 0 && job.number != seen;
        seen = job.number;
        if (join) {
            job.places--;
            job.inside++;
            pthread_mutex_unlock(&lock);
            take_pieces(thread);
            pthread_mutex_lock(&lock);
            if (--job.inside == 0)
                pthread_cond_signal(&finished);
        }
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < FOR_A_JOB && job.number == seen; i++)
            pause_briefly();
        pthread_mutex_lock(&lock);
        if (job.number == seen)
            fall_asleep();
    }
    return NULL;
}

/* Bring the pool to `count` threads; called with the lock held. */
static void start_threads(int count)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* threads inherit it: signals are for Python's */
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (started < count) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, work, (void *)(intptr_t)(started + 1)) != 0) {
            wanted = started + 1; /* the system has no more: do not try again at each loop */
            break;
        }
        started++;
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* In a child after fork(), whose only thread is this one; the others may have held the lock. */
static void forget(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    finished = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    sleepers = NULL;
    started = sleeping = job.places = 0;
    job.inside = 0;
    atomic_flag_clear(&taken);
}

static void be_ready_for_fork(void) { pthread_atfork(NULL, NULL, forget); }

void set_threads(int count)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, be_ready_for_fork);
    wanted = count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : count;
}

int get_threads(void) { return wanted; }

void parallel_for(size_t n, size_t grain, void (*body)(const void *, size_t, size_t),
                  const void *task)
{
    const int threads = wanted;
    grain = grain > 0 ? grain : 1;
    if (n <= grain || threads == 1 || atomic_flag_test_and_set(&taken)) {
        alone(n, grain, body, task);
        return;
    }
    const size_t pieces = n / grain + (n % grain != 0);
    const int parts = pieces < (size_t)threads ? (int)pieces : threads;
    pthread_mutex_lock(&lock);
    if (started < threads - 1)
        start_threads(threads - 1);
    job.body = body;
    job.task = task;
    job.grain = grain;
    job.parts = parts;
    for (int k = 0; k < parts; k++) {
        job.part[k].next = pieces * k / parts * grain;
        job.part[k].end = k + 1 < parts ? pieces * (k + 1) / parts * grain : n;
    }
    job.places = parts - 1;
    job.number++;
    for (int awake = started - sleeping; sleeping > 0 && awake < job.places; awake++)
        wake_one();
    pthread_mutex_unlock(&lock);

    take_pieces(0);

    pthread_mutex_lock(&lock);
    job.places = 0;
    if (job.inside > 0) {
        pthread_mutex_unlock(&lock);
        for (int i = 0; i < FOR_LAST_PIECES && job.inside > 0; i++)
            pause_briefly();
        pthread_mutex_lock(&lock);
        while (job.inside > 0)
            pthread_cond_wait(&finished, &lock);
    }
    pthread_mutex_unlock(&lock);
    atomic_flag_clear(&taken);
}

#endif
