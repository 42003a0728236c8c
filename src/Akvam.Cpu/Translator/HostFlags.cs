using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>
/// The arithmetic flags in the form that host code saves and restores in a few instructions: OF in bit 0, what LAHF gives in bits 8 to 15.
/// They are in this form only while host code runs; C# sees <see cref="LazyFlags"/>.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class HostFlags
{
    private const ulong Lahf = 0xD5;
    private const int OverflowBit = 11;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ToLazy(CpuState* s)
    {
        uint f = s->HostFlags;
        LazyFlags.WriteLazy(s, ((f >> 8) & Lahf) | ((ulong)(f & 1) << OverflowBit));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FromLazy(CpuState* s)
    {
        ulong f = LazyFlags.Read(s);
        s->HostFlags = (uint)(((f & Lahf) << 8) | ((f >> OverflowBit) & 1));
        s->FlagRecipe = (uint)Recipe.Image;
    }
}
