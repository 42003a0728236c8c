using System.Runtime.InteropServices;

namespace Akvam.Cpu.Translator;

/// <summary>An entry of the table that indirect branches look their targets up in.</summary>
/// <remarks>Valid until the <see cref="CodeStore"/> is reset.</remarks>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct JumpEntry
{
    public const int Bits = 12, HashShift = 9;

    /// <summary>Not canonical, so no block is there.</summary>
    public const ulong Nowhere = 1ul << 63;

    public ulong Target;

    /// <summary>Checked entry of the block at <see cref="Target"/>.</summary>
    public nint Code;

    public static int Index(ulong target) => (int)(((target >> HashShift) ^ target) & ((1 << Bits) - 1));
}
