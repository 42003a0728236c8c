using System.Runtime.InteropServices;

namespace Akvam.KvmTests;

internal static class AbiAssert
{
    /// <summary>Two structures of the ABI are the same, byte for byte.</summary>
    public static void Equal<T>(T expected, T actual)
        where T : unmanaged =>
        Assert.Equal(Convert.ToHexString(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in expected))), Convert.ToHexString(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in actual))));
}
