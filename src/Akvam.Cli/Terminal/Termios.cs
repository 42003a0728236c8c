using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Akvam.Cli.Terminal;

/// <summary>The terminal calls of the C library, all that this program needs of it.</summary>
internal static partial class Termios
{
    private const int SetNow = 0;                   // TCSANOW

    /// <summary>Whether a file descriptor is a terminal.</summary>
    public static bool IsTerminal(int descriptor) => isatty(descriptor) == 1;

    /// <summary>Whether this process may use the terminal without being stopped: it is in its foreground group.</summary>
    public static bool IsForeground(int descriptor) => tcgetpgrp(descriptor) == getpgrp();

    /// <summary>Reads a terminal's settings.</summary>
    public static bool TryGet(int descriptor, out Attributes attributes)
    {
        attributes = default;
        return tcgetattr(descriptor, ref attributes) == 0;
    }

    /// <summary>Changes a terminal's settings at once.</summary>
    public static bool TrySet(int descriptor, Attributes attributes) => tcsetattr(descriptor, SetNow, ref attributes) == 0;

    /// <summary>The same settings in raw mode: no echo, no lines, no signals from keys, no translation.</summary>
    public static Attributes Raw(Attributes attributes)
    {
        cfmakeraw(ref attributes);
        return attributes;
    }

    [LibraryImport("libc")]
    private static partial int isatty(int descriptor);

    [LibraryImport("libc")]
    private static partial int tcgetpgrp(int descriptor);

    [LibraryImport("libc")]
    private static partial int getpgrp();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcgetattr(int descriptor, ref Attributes attributes);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcsetattr(int descriptor, int actions, ref Attributes attributes);

    [LibraryImport("libc")]
    private static partial void cfmakeraw(ref Attributes attributes);

    /// <summary>struct termios of Linux, 60 bytes with glibc and musl.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Attributes
    {
        public uint Input;
        public uint Output;
        public uint Control;
        public uint Local;
        public byte Line;
        public ControlCharacters Characters;
        public uint InputSpeed;
        public uint OutputSpeed;
    }

    [InlineArray(32)]
    internal struct ControlCharacters
    {
        private byte _first;
    }
}
