// mutable FILE…: lets files of efivarfs be changed and removed, which the kernel forbids at first for variables it does not know.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
    {
        int flags = 0, file = open(arguments[i], O_RDONLY);
        if (file < 0 || ioctl(file, FS_IOC_SETFLAGS, &flags) != 0)
        {
            perror(arguments[i]);
            return 1;
        }

        close(file);
    }

    return 0;
}
