using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>A condition code of Jcc, SETcc and CMOVcc as a type, so that each handler is compiled for one condition. [APM3 1.4.8]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal unsafe interface ICondition
{
    static abstract bool Test(CpuState* s);
}

/// <summary>The sixteen conditions, named as in the mnemonics.</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> they are given.</remarks>
internal static unsafe class Condition
{
    /// <summary>SF differs from OF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Less(CpuState* s) => (long)(s->FlagResult ^ (s->FlagAux << 47) ^ s->FlagAux ^ (s->FlagAux << 1)) < 0;

    internal readonly struct O : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Of(s);
    }

    internal readonly struct NO : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Of(s);
    }

    internal readonly struct B : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Cf(s);
    }

    internal readonly struct AE : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Cf(s);
    }

    internal readonly struct E : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Zf(s);
    }

    internal readonly struct NE : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Zf(s);
    }

    internal readonly struct BE : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Cf(s) || LazyFlags.Zf(s);
    }

    internal readonly struct A : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Cf(s) && !LazyFlags.Zf(s);
    }

    internal readonly struct S : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Sf(s);
    }

    internal readonly struct NS : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Sf(s);
    }

    internal readonly struct P : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Pf(s);
    }

    internal readonly struct NP : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Pf(s);
    }

    internal readonly struct L : ICondition
    {
        public static bool Test(CpuState* s) => Less(s);
    }

    internal readonly struct GE : ICondition
    {
        public static bool Test(CpuState* s) => !Less(s);
    }

    internal readonly struct LE : ICondition
    {
        public static bool Test(CpuState* s) => LazyFlags.Zf(s) || Less(s);
    }

    internal readonly struct G : ICondition
    {
        public static bool Test(CpuState* s) => !LazyFlags.Zf(s) && !Less(s);
    }
}
