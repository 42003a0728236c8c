using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>MOV (general registers, memory, immediates, moffs), MOVZX, MOVSX, MOVSXD, MOVNTI, MOVDIRI, MOVBE, BSWAP, LEA, XLAT, CBW … CQO. [APM3 MOV] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Move
{
    private static Flow RR<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        Operand.Set(s, i->R0, Operand.Get<T>(s, i->R1));
        return Flow.Next;
    }

    private static Flow RM<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!Mem.Load(s, i, out T v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, v);
        return Flow.Next;
    }

    private static Flow MR<T>(CpuState* s, Insn* i)
        where T : unmanaged => Mem.Store(s, i, Operand.Get<T>(s, i->R1));

    private static Flow RI<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, T.CreateTruncating(i->Imm));
        return Flow.Next;
    }

    private static Flow MI<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => Mem.Store(s, i, T.CreateTruncating(i->Imm));

    /// <summary>Widening by zeros or sign, as the source type says.</summary>
    private static Flow ExtendRR<TTo, TFrom>(CpuState* s, Insn* i)
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TFrom : unmanaged, IBinaryInteger<TFrom>
    {
        Operand.Set(s, i->R0, TTo.CreateTruncating(Operand.Get<TFrom>(s, i->R1)));
        return Flow.Next;
    }

    private static Flow ExtendRM<TTo, TFrom>(CpuState* s, Insn* i)
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TFrom : unmanaged, IBinaryInteger<TFrom>
    {
        if (!Mem.Load(s, i, out TFrom v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, TTo.CreateTruncating(v));
        return Flow.Next;
    }

    private static Flow Lea<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        ulong ea = Mem.RawEa(s, i);
        if ((i->Flags & (InsnFlags.Addr16 | InsnFlags.Addr32)) != 0)
        {
            ea &= Mem.AddressMask(i->Flags);
        }

        Operand.Set(s, i->R0, T.CreateTruncating(ea));
        return Flow.Next;
    }

    /// <summary>Linear address of a moffs operand; false: the fault is set.</summary>
    private static bool OffsetAddress(CpuState* s, Insn* i, int size, AccessKind kind, out ulong linear)
    {
        linear = i->Imm;
        return (i->Flags & InsnFlags.Flat) != 0 || SegmentCheck.Linear(s, i, size, kind, ref linear);
    }

    private static Flow LoadOffset<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!OffsetAddress(s, i, sizeof(T), AccessKind.Read, out ulong linear) || !Mem.LoadLinear(s, linear, out T v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, Gpr.Rax * 8, v);
        return Flow.Next;
    }

    private static Flow StoreOffset<T>(CpuState* s, Insn* i)
        where T : unmanaged =>
        OffsetAddress(s, i, sizeof(T), AccessKind.Write, out ulong linear) ? Mem.StoreLinear(s, linear, Operand.Get<T>(s, Gpr.Rax * 8)) : Flow.Abort;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Reverse<T>(T v)
        where T : unmanaged, IBinaryInteger<T> => sizeof(T) switch
        {
            2 => T.CreateTruncating(BinaryPrimitives.ReverseEndianness(ushort.CreateTruncating(v))),
            4 => T.CreateTruncating(BinaryPrimitives.ReverseEndianness(uint.CreateTruncating(v))),
            _ => T.CreateTruncating(BinaryPrimitives.ReverseEndianness(ulong.CreateTruncating(v))),
        };

    private static Flow MovbeRM<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        if (!Mem.Load(s, i, out T v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, i->R0, Reverse(v));
        return Flow.Next;
    }

    private static Flow MovbeMR<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T> => Mem.Store(s, i, Reverse(Operand.Get<T>(s, i->R1)));

    private static Flow Bswap<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        Operand.Set(s, i->R0, Reverse(Operand.Get<T>(s, i->R0)));
        return Flow.Next;
    }

    /// <summary>BSWAP r16 is undefined; processors clear the register. [SDM2 BSWAP]</summary>
    private static Flow Bswap16(CpuState* s, Insn* i)
    {
        Operand.Set(s, i->R0, (ushort)0);
        return Flow.Next;
    }

    /// <summary>The table index AL is not a register that <see cref="Insn.Index"/> could name.</summary>
    private static Flow Xlat(CpuState* s, Insn* i)
    {
        ulong offset = (s->Gpr[Gpr.Rbx] + (byte)s->Gpr[Gpr.Rax]) & Mem.AddressMask(i->Flags);
        if (!StringAddress.Linear(s, i->Segment, offset, 1, AccessKind.Read, out ulong linear) || !Mem.LoadLinear(s, linear, out byte v))
        {
            return Flow.Abort;
        }

        Operand.Set(s, Gpr.Rax * 8, v);
        return Flow.Next;
    }

    /// <summary>CBW, CWDE, CDQE: widens the accumulator.</summary>
    private static Flow WidenAccumulator<TTo, TFrom>(CpuState* s, Insn* i)
        where TTo : unmanaged, IBinaryInteger<TTo>
        where TFrom : unmanaged, IBinaryInteger<TFrom>
    {
        Operand.Set(s, Gpr.Rax * 8, TTo.CreateTruncating(Operand.Get<TFrom>(s, Gpr.Rax * 8)));
        return Flow.Next;
    }

    /// <summary>CWD, CDQ, CQO: the accumulator's sign into every bit of rDX.</summary>
    private static Flow SignToRdx<T>(CpuState* s, Insn* i)
        where T : unmanaged, IBinaryInteger<T>
    {
        T sign = Operand.Get<T>(s, Gpr.Rax * 8) >> ((sizeof(T) * 8) - 1);
        Operand.Set(s, Gpr.Rdx * 8, T.Zero - sign);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        AddPlain(b);
        AddExtending(b);
        b.Add(Code.Lea_r16_m, null, &Lea<ushort>);
        b.Add(Code.Lea_r32_m, null, &Lea<uint>);
        b.Add(Code.Lea_r64_m, null, &Lea<ulong>);
        b.Add(Code.Movnti_m32_r32, null, &MR<uint>);
        b.Add(Code.Movnti_m64_r64, null, &MR<ulong>);
        b.Add(Code.Movdiri_m32_r32, null, &MR<uint>);
        b.Add(Code.Movdiri_m64_r64, null, &MR<ulong>);
        b.Add(Code.Movbe_r16_m16, null, &MovbeRM<ushort>);
        b.Add(Code.Movbe_r32_m32, null, &MovbeRM<uint>);
        b.Add(Code.Movbe_r64_m64, null, &MovbeRM<ulong>);
        b.Add(Code.Movbe_m16_r16, null, &MovbeMR<ushort>);
        b.Add(Code.Movbe_m32_r32, null, &MovbeMR<uint>);
        b.Add(Code.Movbe_m64_r64, null, &MovbeMR<ulong>);
        b.Add(Code.Bswap_r16, &Bswap16);
        b.Add(Code.Bswap_r32, &Bswap<uint>);
        b.Add(Code.Bswap_r64, &Bswap<ulong>);
        b.Add(Code.Xlat_m8, &Xlat, &Xlat);
        b.Add(Code.Cbw, &WidenAccumulator<ushort, sbyte>);
        b.Add(Code.Cwde, &WidenAccumulator<uint, short>);
        b.Add(Code.Cdqe, &WidenAccumulator<ulong, int>);
        b.Add(Code.Cwd, &SignToRdx<ushort>);
        b.Add(Code.Cdq, &SignToRdx<uint>);
        b.Add(Code.Cqo, &SignToRdx<ulong>);
    }

    private static void AddPlain(IsaBuilder b)
    {
        b.Add(Code.Mov_rm8_r8, &RR<byte>, &MR<byte>);
        b.Add(Code.Mov_rm16_r16, &RR<ushort>, &MR<ushort>);
        b.Add(Code.Mov_rm32_r32, &RR<uint>, &MR<uint>);
        b.Add(Code.Mov_rm64_r64, &RR<ulong>, &MR<ulong>);
        b.Add(Code.Mov_r8_rm8, &RR<byte>, &RM<byte>);
        b.Add(Code.Mov_r16_rm16, &RR<ushort>, &RM<ushort>);
        b.Add(Code.Mov_r32_rm32, &RR<uint>, &RM<uint>);
        b.Add(Code.Mov_r64_rm64, &RR<ulong>, &RM<ulong>);
        b.Add(Code.Mov_r8_imm8, &RI<byte>);
        b.Add(Code.Mov_r16_imm16, &RI<ushort>);
        b.Add(Code.Mov_r32_imm32, &RI<uint>);
        b.Add(Code.Mov_r64_imm64, &RI<ulong>);
        b.Add(Code.Mov_rm8_imm8, &RI<byte>, &MI<byte>);
        b.Add(Code.Mov_rm16_imm16, &RI<ushort>, &MI<ushort>);
        b.Add(Code.Mov_rm32_imm32, &RI<uint>, &MI<uint>);
        b.Add(Code.Mov_rm64_imm32, &RI<ulong>, &MI<ulong>);
        b.Add(Code.Mov_AL_moffs8, &LoadOffset<byte>, &LoadOffset<byte>);
        b.Add(Code.Mov_AX_moffs16, &LoadOffset<ushort>, &LoadOffset<ushort>);
        b.Add(Code.Mov_EAX_moffs32, &LoadOffset<uint>, &LoadOffset<uint>);
        b.Add(Code.Mov_RAX_moffs64, &LoadOffset<ulong>, &LoadOffset<ulong>);
        b.Add(Code.Mov_moffs8_AL, &StoreOffset<byte>, &StoreOffset<byte>);
        b.Add(Code.Mov_moffs16_AX, &StoreOffset<ushort>, &StoreOffset<ushort>);
        b.Add(Code.Mov_moffs32_EAX, &StoreOffset<uint>, &StoreOffset<uint>);
        b.Add(Code.Mov_moffs64_RAX, &StoreOffset<ulong>, &StoreOffset<ulong>);
    }

    private static void AddExtending(IsaBuilder b)
    {
        b.Add(Code.Movzx_r16_rm8, &ExtendRR<ushort, byte>, &ExtendRM<ushort, byte>);
        b.Add(Code.Movzx_r32_rm8, &ExtendRR<uint, byte>, &ExtendRM<uint, byte>);
        b.Add(Code.Movzx_r64_rm8, &ExtendRR<ulong, byte>, &ExtendRM<ulong, byte>);
        b.Add(Code.Movzx_r16_rm16, &ExtendRR<ushort, ushort>, &ExtendRM<ushort, ushort>);
        b.Add(Code.Movzx_r32_rm16, &ExtendRR<uint, ushort>, &ExtendRM<uint, ushort>);
        b.Add(Code.Movzx_r64_rm16, &ExtendRR<ulong, ushort>, &ExtendRM<ulong, ushort>);
        b.Add(Code.Movsx_r16_rm8, &ExtendRR<ushort, sbyte>, &ExtendRM<ushort, sbyte>);
        b.Add(Code.Movsx_r32_rm8, &ExtendRR<uint, sbyte>, &ExtendRM<uint, sbyte>);
        b.Add(Code.Movsx_r64_rm8, &ExtendRR<ulong, sbyte>, &ExtendRM<ulong, sbyte>);
        b.Add(Code.Movsx_r16_rm16, &ExtendRR<ushort, short>, &ExtendRM<ushort, short>);
        b.Add(Code.Movsx_r32_rm16, &ExtendRR<uint, short>, &ExtendRM<uint, short>);
        b.Add(Code.Movsx_r64_rm16, &ExtendRR<ulong, short>, &ExtendRM<ulong, short>);
        b.Add(Code.Movsxd_r16_rm16, &RR<ushort>, &RM<ushort>);
        b.Add(Code.Movsxd_r32_rm32, &RR<uint>, &RM<uint>);
        b.Add(Code.Movsxd_r64_rm32, &ExtendRR<ulong, int>, &ExtendRM<ulong, int>);
    }
}
