using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Akvam.Cli.Terminal;

/// <summary>The calls to the C library: terminals, and plain reads and writes.</summary>
/// <remarks>A FileStream would keep a file position of its own, and overwrite what others write to the same file.</remarks>
internal static partial class Libc
{
    private const int SetNow = 0;                   // TCSANOW
    private const int Interrupted = 4, TryAgain = 11;

    /// <summary>Reads what is there, waiting for the first byte; 0 at the end of the input.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static int Read(int descriptor, Span<byte> buffer)
    {
        while (true)
        {
            nint count = read(descriptor, ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length);
            if (count >= 0)
            {
                return (int)count;
            }

            WaitOrThrow();
        }
    }

    /// <summary>Writes all of it.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write(int descriptor, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            nint count = write(descriptor, ref MemoryMarshal.GetReference(data), (nuint)data.Length);
            if (count >= 0)
            {
                data = data[(int)count..];
            }
            else
            {
                WaitOrThrow();
            }
        }
    }

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

    /// <summary>Whoever shares the file may have made it non-blocking.</summary>
    private static void WaitOrThrow()
    {
        int error = Marshal.GetLastPInvokeError();
        switch (error)
        {
            case Interrupted:
                break;
            case TryAgain:
                Thread.Sleep(1);
                break;
            default:
                throw new IOException(Marshal.GetPInvokeErrorMessage(error));
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int descriptor, ref byte buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int descriptor, ref byte buffer, nuint count);

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
