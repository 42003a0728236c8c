using Akvam.Cpu.Events;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Native;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>MXCSR, and what an unmasked SIMD floating-point exception does. [APM1 4.10] [SDM1 11.5]</summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class Mxcsr
{
    public const uint Invalid = 1, Denormal = 2, ZeroDivide = 4, Overflow = 8, Underflow = 16, Precision = 32;
    public const uint Flags = 0x3F;
    public const uint Masks = 0x1F80;
    public const int MaskShift = 7;
    public const uint FlushToZero = 1 << 15;

    /// <summary>Bits that can be set; the others raise #GP(0) on a load.</summary>
    public const uint Defined = 0xFFFF;

    /// <summary>Found before an operation computes anything; the others only come up when none of these is unmasked. [SDM1 11.5.3]</summary>
    private const uint PreComputation = Invalid | Denormal | ZeroDivide;

    /// <summary>
    /// Runs a stub for a guest with unmasked exceptions: masked, into a copy of the target, which is taken over only when no unmasked exception came up.
    /// </summary>
    public static Flow RunUnmasked(CpuState* s, Insn* i, byte* op0, out ulong flags)
    {
        byte* target = stackalloc byte[32];
        Buffer.MemoryCopy(op0, target, 32, 32);
        uint guest = s->Mxcsr;
        uint host = (guest & ~Flags) | Masks;
        (int size, bool scalar) = (guest & (Underflow << MaskShift)) == 0 ? VectorNames.Underflow(((Code)i->Code).Mnemonic()) : default;
        if (size != 0)
        {
            // Flushing to zero is a masked response; unmasked, a tiny result raises the exception whether or not it is exact. [SDM1 11.5.2.5]
            host &= ~FlushToZero;
        }

        flags = HostHandlers.Call(s, i, target, &host);
        uint raised = host & Flags;
        if (size != 0 && HasTiny(WritesScratch(i) ? s->Scratch : target, size, scalar, ResultSize(i)))
        {
            raised |= Underflow;
        }

        uint unmasked = raised & ~(guest >> MaskShift);
        if (unmasked == 0)
        {
            s->Mxcsr |= raised;
            Buffer.MemoryCopy(target, op0, 32, 32);
            return Flow.Next;
        }

        s->Mxcsr |= (unmasked & PreComputation) != 0 ? raised & PreComputation : raised;
        return (s->Mode & ModeKey.OsXmmExcpt) != 0 ? Fault.Raise(s, Vector.XM) : Fault.Ud(s);
    }

    private static bool WritesScratch(Insn* i) => (Code)i->Code is Code.VEX_Vcvtps2ph_xmmm64_xmm_imm8 or Code.VEX_Vcvtps2ph_xmmm128_ymm_imm8 && (i->Flags & InsnFlags.Mem) != 0;

    /// <summary>Bytes of the result that the operation computed.</summary>
    private static int ResultSize(Insn* i)
    {
        OpCodeInfo info = ((Code)i->Code).ToOpCode();
        return (Code)i->Code switch
        {
            Code.Cvtpd2ps_xmm_xmmm128 or Code.VEX_Vcvtpd2ps_xmm_xmmm128 or Code.VEX_Vcvtps2ph_xmmm64_xmm_imm8 => 8,
            _ => info.GetOpKind(0) is OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_or_mem ? 32 : 16,
        };
    }

    /// <summary>True when an element is denormal: neither zero nor of the normal range.</summary>
    private static bool HasTiny(byte* p, int size, bool scalar, int length)
    {
        for (int at = 0; at < (scalar ? size : length); at += size)
        {
            bool tiny = size switch
            {
                2 => IsTiny(*(ushort*)(p + at), 0x7C00, 0x3FF),
                4 => IsTiny(*(uint*)(p + at), 0x7F80_0000, 0x7F_FFFF),
                _ => IsTiny(*(ulong*)(p + at), 0x7FF0_0000_0000_0000, 0xF_FFFF_FFFF_FFFF),
            };
            if (tiny)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsTiny(ulong bits, ulong exponent, ulong fraction) => (bits & exponent) == 0 && (bits & fraction) != 0;
}
