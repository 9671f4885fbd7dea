/* Threads that stay between draws, and wait for work. To start one takes longer than to draw 100,000 values. */
#ifndef FASTINIT_THREADS_H
#define FASTINIT_THREADS_H

#include <stdbool.h>

/* Run work(argument) on the calling thread, and at the same time on up to `others` more. Threads that come too late, or
 * cannot be started, are not waited for: the work shares itself out. */
void fi_together(void (*work)(void *argument), void *argument, int others);

/* Whether this thread is one of those, and whether it should leave its work to the caller's thread, because the process
 * forks. */
bool fi_in_pool(void);
bool fi_called_back(void);

#endif
