/* A pool of threads. A process that forks ends it first, so that both sides begin anew, without locks that nobody
 * holds, and Python sees no threads to warn of. */
#include "threads.h"
#include "fastinit.h"
#include "system.h"

#include <stdatomic.h>

/* It lies in its caller's frame, and in the list until the caller finds no more work. */
struct task {
    void (*work)(void *);
    void *argument;
    int wanted;        /* how many threads may still join it */
    atomic_int joined; /* how many work on it */
    struct task *next;
};

static fi_mutex lock = FI_MUTEX;
static fi_condition come = FI_CONDITION, gone = FI_CONDITION; /* a task, a thread from its task */
static struct task *tasks;
static atomic_int wanted; /* by all tasks */
static fi_thread threads[FI_MAX_THREADS];
static int n_threads, n_free, n_asleep; /* free: not at work */
static atomic_bool ending;
static _Thread_local bool in_pool;

bool fi_in_pool(void) { return in_pool; }
bool fi_called_back(void) { return in_pool && atomic_load_explicit(&ending, memory_order_relaxed); }

/* Look for a while whether a number has become zero, or is no longer. To wake a thread takes its waker some 8 us, and
 * itself some 20, so both sides look before they sleep: a thread for the next draw, a caller for the others' last chunk. */
static void look(atomic_int *number, bool zero) {
    for (int i = 0; i < 1 << 12 && (atomic_load_explicit(number, memory_order_relaxed) == 0) != zero; i++) fi_relax();
}

static void wake_one(void) {
    if (n_asleep) fi_wake_one(&come);
}

FI_THREAD(attend, nothing) {
    (void)nothing;
    in_pool = true;
    bool has_looked = true;
    fi_lock(&lock);
    while (!ending) {
        struct task *task = tasks;
        while (task && !task->wanted) task = task->next;
        if (task) {
            task->wanted--;
            wanted--;
            task->joined++;
            n_free--;
            if (wanted) wake_one(); /* one wakes the next */
            fi_unlock(&lock);
            task->work(task->argument);
            fi_lock(&lock);
            n_free++;
            if (--task->joined == 0) fi_wake_all(&gone);
            has_looked = false;
        } else if (!has_looked) {
            fi_unlock(&lock);
            look(&wanted, false);
            fi_lock(&lock);
            has_looked = true;
        } else {
            n_asleep++;
            fi_wait(&come, &lock);
            n_asleep--;
        }
    }
    fi_unlock(&lock);
    return 0;
}

#ifndef _WIN32
static void before_fork(void) {
    fi_lock(&lock);
    ending = true;
    fi_wake_all(&come);
    while (n_threads) {
        const fi_thread last = threads[--n_threads];
        fi_unlock(&lock);
        fi_thread_join(last);
        fi_lock(&lock);
    }
    ending = false;
    n_free = n_asleep = 0;
}

static void in_parent(void) { fi_unlock(&lock); }

static void in_child(void) {
    come = (fi_condition)FI_CONDITION;
    gone = (fi_condition)FI_CONDITION;
    tasks = NULL; /* those of threads that the child has not */
    wanted = 0;
    fi_unlock(&lock);
}

static bool forks_are_safe(void) {
    static bool prepared;
    if (!prepared) prepared = pthread_atfork(before_fork, in_parent, in_child) == 0;
    return prepared;
}
#else
static bool forks_are_safe(void) { return true; }
#endif

void fi_together(void (*work)(void *argument), void *argument, int others) {
    struct task task = {work, argument, others, 0, NULL}, **place = &tasks;
    if (others <= 0) {
        work(argument);
        return;
    }
    fi_lock(&lock);
    task.next = tasks;
    tasks = &task;
    wanted += others;
    while (forks_are_safe() && !ending && n_free < wanted && n_threads < FI_MAX_THREADS &&
           fi_thread_start(&threads[n_threads], attend))
        n_threads++, n_free++;
    wake_one();
    fi_unlock(&lock);
    work(argument);
    fi_lock(&lock);
    while (*place && *place != &task) place = &(*place)->next;
    if (*place) { /* not if the work itself has forked, and this is the child */
        *place = task.next;
        wanted -= task.wanted;
    }
    fi_unlock(&lock);
    look(&task.joined, true);
    fi_lock(&lock);
    while (task.joined) fi_wait(&gone, &lock);
    fi_unlock(&lock);
}
