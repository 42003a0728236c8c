using System.Runtime.Intrinsics;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>The state components that XSAVE knows: which are in use, how each becomes initial. [SDM1 13.6]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class XsaveState
{
    public const uint InitialMxcsr = 0x1F80;

    /// <summary>XINUSE: components that differ from their initial state. MXCSR belongs to none. [SDM1 13.6]</summary>
    public static ulong InUse(CpuState* s)
    {
        Vector128<byte> low = default, high = default;
        for (int n = 0; n < 16; n++)
        {
            low |= *(Vector128<byte>*)(s->Vector + (32 * n));
            high |= *(Vector128<byte>*)(s->Vector + (32 * n) + 16);
        }

        return (X87InUse(s) ? XsaveLayout.X87 : 0)
            | (low != default ? XsaveLayout.Sse : 0)
            | (high != default ? XsaveLayout.Avx : 0)
            | (s->Pkru != 0 ? XsaveLayout.Pkru : 0);
    }

    private static bool X87InUse(CpuState* s)
    {
        if (X87State.Fcw(s) != X87State.InitialFcw || X87State.Fsw(s) != 0 || X87State.Ftw(s) != 0 || X87State.Fop(s) != 0
            || X87State.Fip(s) != 0 || X87State.Fdp(s) != 0 || s->Fcs != 0 || s->Fds != 0)
        {
            return true;
        }

        for (int n = 0; n < 8; n++)
        {
            byte* register = s->Fx + X87State.RegistersAt + (16 * n);
            if (*(ulong*)register != 0 || *(ushort*)(register + 8) != 0)
            {
                return true;
            }
        }

        return false;
    }

    public static void InitializeX87(CpuState* s)
    {
        X87State.Initialize(s);
        new Span<byte>(s->Fx + X87State.RegistersAt, 128).Clear();
    }

    public static void InitializeXmm(CpuState* s, int count)
    {
        for (int n = 0; n < count; n++)
        {
            *(Vector128<byte>*)(s->Vector + (32 * n)) = default;
        }
    }

    public static void InitializeAvx(CpuState* s, int count)
    {
        for (int n = 0; n < count; n++)
        {
            *(Vector128<byte>*)(s->Vector + (32 * n) + 16) = default;
        }
    }

    public static void WriteAvx(CpuState* s, byte* to, int count)
    {
        for (int n = 0; n < count; n++)
        {
            *(Vector128<byte>*)(to + (16 * n)) = *(Vector128<byte>*)(s->Vector + (32 * n) + 16);
        }
    }

    public static void ReadAvx(CpuState* s, byte* from, int count)
    {
        for (int n = 0; n < count; n++)
        {
            *(Vector128<byte>*)(s->Vector + (32 * n) + 16) = *(Vector128<byte>*)(from + (16 * n));
        }
    }
}
