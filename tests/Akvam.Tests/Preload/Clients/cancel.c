/* pthread_cancel ends a thread in KVM_RUN, and the vCPU is free for another. */
#include "client.h"

static const unsigned char loop[] = {0xEB, 0xFE};
static const unsigned char halt[] = {0xF4, 0xEB, 0xFD};
static struct machine m;

static void *run(void *unused)
{
    (void)unused;
    CHECK(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
    while (ioctl(m.vcpu, KVM_RUN, 0) == -1 && errno == EINTR)
    {
    }

    return NULL;
}

static void cancel_one(const unsigned char *code, size_t size, int irqchip)
{
    pthread_t thread;
    void *result;
    m = make_machine(code, size, irqchip);
    CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    usleep(100000);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
    m.run->immediate_exit = 1;
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    close_machine(&m);
}

int main(void)
{
    cancel_one(loop, sizeof loop, 0);
    cancel_one(halt, sizeof halt, 1);
    return 0;
}
