using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Akvam;

/// <summary>The host's cryptographic random numbers.</summary>
public sealed class SystemRandomSource : IRandomSource
{
    public ulong Next()
    {
        ulong value = 0;
        RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(new Span<ulong>(ref value)));
        return value;
    }
}
