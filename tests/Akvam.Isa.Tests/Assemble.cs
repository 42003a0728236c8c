using Iced.Intel;

namespace Akvam.Isa.Tests;

/// <summary>Small programs in a readable form.</summary>
internal static class Assemble
{
    /// <summary>64-bit code for <paramref name="origin"/>.</summary>
    public static byte[] Code64(ulong origin, Action<Assembler> write) => Bytes(64, origin, write);

    public static byte[] Bytes(int bitness, ulong origin, Action<Assembler> write)
    {
        var assembler = new Assembler(bitness);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), origin);
        return stream.ToArray();
    }
}
