using System.ComponentModel;
using System.Runtime.InteropServices;
using Akvam.Native;

namespace Akvam;

/// <summary>
/// The host's cryptographic random numbers, straight from the kernel: .NET's generator brings OpenSSL into the process, 7 MiB and some milliseconds.
/// </summary>
/// <remarks>Valid because the kernel is given memory that is pinned meanwhile.</remarks>
public sealed unsafe class SystemRandomSource : IRandomSource
{
    /// <summary>So many random bytes.</summary>
    public static byte[] GetBytes(int count)
    {
        byte[] bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    public ulong Next()
    {
        ulong value = 0;
        Fill(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return value;
    }

    private static void Fill(Span<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            for (nint done = 0; done < bytes.Length;)
            {
                nint got = Libc.getrandom(start + done, (nuint)(bytes.Length - done), 0);
                if (got < 0 && Marshal.GetLastPInvokeError() != Libc.EINTR)
                {
                    throw new Win32Exception();
                }

                done += Math.Max(got, 0);
            }
        }
    }
}
