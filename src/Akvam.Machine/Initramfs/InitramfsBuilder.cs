using System.Reflection;

namespace Akvam.Machine.Initramfs;

/// <summary>Makes the initramfs of <c>akvam boot</c>: a static busybox and our own first process.</summary>
/// <remarks>The archive stays uncompressed: Linux takes it as it is, and the guest's own decompression would be the slower copy.</remarks>
public static class InitramfsBuilder
{
    private static readonly string[] s_folders = ["bin", "sbin", "dev", "proc", "sys", "tmp", "etc", "root", "usr", "usr/bin", "usr/sbin"];

    private static readonly string[] s_applets =
    [
        "ash", "awk", "base64", "basename", "cat", "chmod", "chown", "clear", "cmp", "cp", "cpio", "cttyhack", "cut", "date", "dd", "df", "dirname",
        "dmesg", "du", "echo", "env", "expr", "false", "find", "free", "grep", "gunzip", "gzip", "halt", "head", "hexdump", "hostname", "id", "ifconfig",
        "insmod", "ip", "kill", "killall", "less", "ln", "ls", "lsmod", "lspci", "md5sum", "mkdir", "mknod", "mktemp", "modprobe", "more", "mount", "mv",
        "nproc", "od", "ping", "poweroff", "printf", "ps", "pwd", "readlink", "reboot", "rm", "rmdir", "rmmod", "sed", "seq", "setsid", "sh", "sha256sum",
        "sleep", "sort", "stat", "stty", "sync", "tail", "tar", "taskset", "tee", "test", "time", "timeout", "top", "touch", "tr", "true", "tty", "umount",
        "uname", "uniq", "uptime", "usleep", "vi", "wc", "which", "xargs", "yes", "zcat",
    ];

    /// <summary>Builds the archive.</summary>
    /// <param name="busybox">A static busybox for x86-64.</param>
    public static byte[] Build(ReadOnlySpan<byte> busybox)
    {
        var cpio = new CpioWriter();
        foreach (string folder in s_folders)
        {
            cpio.AddDirectory(folder);
        }

        // The kernel opens its console before anything can mount a device file system.
        cpio.AddCharacterDevice("dev/console", 5, 1);
        cpio.AddCharacterDevice("dev/null", 1, 3);
        cpio.AddFile("bin/busybox", busybox);
        foreach (string applet in s_applets)
        {
            cpio.AddLink($"bin/{applet}", "busybox");
        }

        cpio.AddFile("init", InitScript());
        return cpio.ToArray();
    }

    private static byte[] InitScript()
    {
        using Stream script = Assembly.GetExecutingAssembly().GetManifestResourceStream("Akvam.Machine.init")
            ?? throw new InvalidOperationException("the init script is missing from the assembly");
        using var copy = new MemoryStream();
        script.CopyTo(copy);
        return copy.ToArray();
    }
}
