using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>The legacy region of FXSAVE and XSAVE areas, part by part. [APM2 11.5.10] [SDM1 10.5.1]</summary>
/// <remarks>Valid for areas of 512 bytes or more.</remarks>
internal static unsafe class FxImage
{
    public const int MxcsrAt = 24, RegistersAt = 32, XmmAt = 160;

    /// <summary>MXCSR_MASK: all bits can be set, DAZ included.</summary>
    public const uint MxcsrMask = Mxcsr.Defined;

    /// <summary>Bytes 0 to 23 and 32 to 159; pointers as 64-bit offsets when <paramref name="wide"/>, else as selector and 32-bit offset.</summary>
    public static void WriteX87(CpuState* s, byte* area, bool wide)
    {
        *(ushort*)(area + X87State.FcwAt) = X87State.Fcw(s);
        *(ushort*)(area + X87State.FswAt) = X87State.Fsw(s);
        *(ushort*)(area + X87State.FtwAt) = X87State.Ftw(s);
        *(ushort*)(area + X87State.FopAt) = (ushort)(X87State.Fop(s) & 0x7FF);
        *(ulong*)(area + X87State.FipAt) = wide ? X87State.Fip(s) : (uint)X87State.Fip(s) | ((ulong)s->Fcs << 32);
        *(ulong*)(area + X87State.FdpAt) = wide ? X87State.Fdp(s) : (uint)X87State.Fdp(s) | ((ulong)s->Fds << 32);
        for (int n = 0; n < 8; n++)
        {
            byte* from = s->Fx + RegistersAt + (16 * n), to = area + RegistersAt + (16 * n);
            *(ulong*)to = *(ulong*)from;
            *(ulong*)(to + 8) = *(ushort*)(from + 8);
        }
    }

    public static void ReadX87(CpuState* s, byte* area, bool wide)
    {
        X87State.Fcw(s) = X87Control.LegalFcw(*(ushort*)(area + X87State.FcwAt));
        X87State.Fsw(s) = *(ushort*)(area + X87State.FswAt);
        X87State.Ftw(s) = area[X87State.FtwAt];
        X87State.Fop(s) = (ushort)(*(ushort*)(area + X87State.FopAt) & 0x7FF);
        ulong ip = *(ulong*)(area + X87State.FipAt), dp = *(ulong*)(area + X87State.FdpAt);
        X87State.Fip(s) = wide ? ip : (uint)ip;
        X87State.Fdp(s) = wide ? dp : (uint)dp;
        s->Fcs = wide ? (ushort)0 : (ushort)(ip >> 32);
        s->Fds = wide ? (ushort)0 : (ushort)(dp >> 32);
        Buffer.MemoryCopy(area + RegistersAt, s->Fx + RegistersAt, 128, 128);
        X87State.UpdateSummary(s);
    }

    public static void WriteMxcsr(CpuState* s, byte* area)
    {
        *(uint*)(area + MxcsrAt) = s->Mxcsr;
        *(uint*)(area + MxcsrAt + 4) = MxcsrMask;
    }

    public static void WriteXmm(CpuState* s, byte* area, int count)
    {
        for (int n = 0; n < count; n++)
        {
            Buffer.MemoryCopy(s->Vector + (32 * n), area + XmmAt + (16 * n), 16, 16);
        }
    }

    public static void ReadXmm(CpuState* s, byte* area, int count)
    {
        for (int n = 0; n < count; n++)
        {
            Buffer.MemoryCopy(area + XmmAt + (16 * n), s->Vector + (32 * n), 16, 16);
        }
    }

    /// <summary>Vector registers that instructions of the current mode can name.</summary>
    public static int VectorRegisters(CpuState* s) => (s->Mode & ModeKey.BitnessMask) == ModeKey.Code64 ? 16 : 8;
}
