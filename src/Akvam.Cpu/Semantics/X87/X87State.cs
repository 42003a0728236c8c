using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>
/// The x87 unit as the FXSAVE image in <see cref="CpuState.Fx"/> holds it: registers in stack order (ST0 first), tags abridged and in physical order. [SDM1 10.5]
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class X87State
{
    public const int FcwAt = 0, FswAt = 2, FtwAt = 4, FopAt = 6, FipAt = 8, FdpAt = 16, MxcsrAt = 24, RegistersAt = 32;

    /// <summary>Bytes of the image that belong to the x87 unit, up to the end of ST7.</summary>
    public const int Size = 160;

    public const ushort InitialFcw = 0x37F;

    /// <summary>FSW: the exception flags, stack fault, exception summary and busy bits.</summary>
    public const ushort ExceptionFlags = 0x3F, StackFault = 1 << 6, Summary = 1 << 7, Busy = 1 << 15;
    private const ushort TopMask = 7 << 11;
    private const int TopShift = 11;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref ushort Fcw(CpuState* s) => ref *(ushort*)(s->Fx + FcwAt);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ref ushort Fsw(CpuState* s) => ref *(ushort*)(s->Fx + FswAt);

    /// <summary>One bit a register, physical order; clear: empty.</summary>
    public static ref byte Ftw(CpuState* s) => ref s->Fx[FtwAt];

    public static ref ushort Fop(CpuState* s) => ref *(ushort*)(s->Fx + FopAt);

    public static ref ulong Fip(CpuState* s) => ref *(ulong*)(s->Fx + FipAt);

    public static ref ulong Fdp(CpuState* s) => ref *(ulong*)(s->Fx + FdpAt);

    public static int Top(CpuState* s) => (Fsw(s) & TopMask) >> TopShift;

    /// <summary>
    /// False, with #MF raised, when an earlier instruction left an unmasked exception. Done by every waiting instruction. [SDM3 6.15 #MF]
    /// </summary>
    /// <remarks>
    /// CR0.NE = 0 asks for FERR# and IRQ 13 instead. Processors that run KVM guests have NE fixed to 1 while in a guest and raise #MF whatever the
    /// guest's CR0 says; so does this one. [SDM3 23.8]
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool CheckPending(CpuState* s) => (Fsw(s) & Summary) == 0 || RaisePending(s);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool RaisePending(CpuState* s)
    {
        Fault.Raise(s, Vector.MF);
        return false;
    }

    /// <summary>The exception summary follows from flags and masks. [SDM1 8.1.3.3]</summary>
    public static void UpdateSummary(CpuState* s)
    {
        ushort fsw = (ushort)(Fsw(s) & ~(Summary | Busy));
        Fsw(s) = (fsw & ~Fcw(s) & ExceptionFlags) != 0 ? (ushort)(fsw | Summary | Busy) : fsw;
    }

    /// <summary>FNINIT. [APM5 FINIT]</summary>
    public static void Initialize(CpuState* s)
    {
        // The registers keep their contents, but are numbered from the top of stack, which moves to 0.
        SetTop(s, 0);
        Fcw(s) = InitialFcw;
        Fsw(s) = 0;
        Ftw(s) = 0;
        Fop(s) = 0;
        Fip(s) = Fdp(s) = 0;
        s->Fcs = s->Fds = 0;
    }

    /// <summary>What any MMX instruction but EMMS does to the x87 unit: top of stack 0, all tags valid. [APM1 5.5] [SDM1 9.5.1]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void EnterMmx(CpuState* s)
    {
        if ((Fsw(s) & TopMask) != 0)
        {
            SetTop(s, 0);
        }

        Ftw(s) = 0xFF;
    }

    /// <summary>Moves the top of stack; the physical registers stay where they are, so the image, which starts with ST0, is rotated.</summary>
    public static void SetTop(CpuState* s, int top)
    {
        int by = (top - Top(s)) & 7;
        if (by != 0)
        {
            byte* old = stackalloc byte[128];
            byte* now = s->Fx + RegistersAt;
            Buffer.MemoryCopy(now, old, 128, 128);
            for (int n = 0; n < 8; n++)
            {
                Buffer.MemoryCopy(old + (16 * ((n + by) & 7)), now + (16 * n), 16, 16);
            }
        }

        Fsw(s) = (ushort)((Fsw(s) & ~TopMask) | (top << TopShift));
    }

    /// <summary>The two-bit tags of FNSTENV: 0 valid, 1 zero, 2 special, 3 empty; register 0 in the lowest bits. [SDM1 8.1.7]</summary>
    public static ushort FullTags(CpuState* s)
    {
        int tags = 0, top = Top(s);
        for (int physical = 0; physical < 8; physical++)
        {
            int tag = (Ftw(s) & (1 << physical)) != 0 ? Classify(s->Fx + RegistersAt + (16 * ((physical - top) & 7))) : 3;
            tags |= tag << (2 * physical);
        }

        return (ushort)tags;
    }

    public static byte AbridgeTags(ushort full)
    {
        int tags = 0;
        for (int physical = 0; physical < 8; physical++)
        {
            tags |= ((full >> (2 * physical)) & 3) != 3 ? 1 << physical : 0;
        }

        return (byte)tags;
    }

    private static int Classify(byte* register)
    {
        ulong significand = *(ulong*)register;
        int exponent = *(ushort*)(register + 8) & 0x7FFF;
        if (exponent == 0 && significand == 0)
        {
            return 1;
        }

        return exponent == 0 || exponent == 0x7FFF || (long)significand >= 0 ? 2 : 0;
    }
}
