using Akvam.Cpu.Events;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Semantics;

/// <summary>AAA, AAS, AAM, AAD, DAA, DAS. Flags the manuals leave undefined follow the result in AL, with CF, OF and AF clear. [APM3 AAA] …</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class Bcd
{
    private static byte Al(CpuState* s) => (byte)s->Gpr[Gpr.Rax];

    private static void SetAx(CpuState* s, int value) => Operand.Set(s, Gpr.Rax * 8, (ushort)value);

    private static void SetAl(CpuState* s, int value) => Operand.Set(s, Gpr.Rax * 8, (byte)value);

    /// <summary>The correction is made to AX as a whole, so AH also gets a carry out of AL. [SDM2 AAA]</summary>
    private static Flow AdjustAscii(CpuState* s, int correction)
    {
        bool adjust = (Al(s) & 15) > 9 || LazyFlags.Af(s);
        int ax = (ushort)s->Gpr[Gpr.Rax];
        ax = adjust ? ax + correction : ax;
        SetAx(s, ax & 0xFF0F);
        LazyFlags.SetResult(s, Al(s), adjust, false, adjust);
        return Flow.Next;
    }

    private static Flow Aaa(CpuState* s, Insn* i) => AdjustAscii(s, 0x106);

    private static Flow Aas(CpuState* s, Insn* i) => AdjustAscii(s, -0x106);

    private static Flow Aam(CpuState* s, Insn* i)
    {
        int radix = (byte)i->Imm, al = Al(s);
        if (radix == 0)
        {
            return Fault.De(s);
        }

        SetAx(s, (al / radix << 8) | (al % radix));
        LazyFlags.SetLogic(s, Al(s));
        return Flow.Next;
    }

    private static Flow Aad(CpuState* s, Insn* i)
    {
        int ax = (ushort)s->Gpr[Gpr.Rax];
        SetAx(s, (byte)((ax & 0xFF) + ((ax >> 8) * (byte)i->Imm)));
        LazyFlags.SetLogic(s, Al(s));
        return Flow.Next;
    }

    private static Flow Daa(CpuState* s, Insn* i)
    {
        int al = Al(s);
        bool low = (al & 15) > 9 || LazyFlags.Af(s);
        bool high = al > 0x99 || LazyFlags.Cf(s);
        SetAl(s, al + (low ? 6 : 0) + (high ? 0x60 : 0));
        LazyFlags.SetResult(s, Al(s), high, false, low);
        return Flow.Next;
    }

    private static Flow Das(CpuState* s, Insn* i)
    {
        int al = Al(s);
        bool low = (al & 15) > 9 || LazyFlags.Af(s);
        bool high = al > 0x99 || LazyFlags.Cf(s);

        // The low correction may borrow by itself. [SDM2 DAS]
        bool carry = high || (low && al < 6);
        SetAl(s, al - (low ? 6 : 0) - (high ? 0x60 : 0));
        LazyFlags.SetResult(s, Al(s), carry, false, low);
        return Flow.Next;
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Aaa, &Aaa);
        b.Add(Code.Aas, &Aas);
        b.Add(Code.Aam_imm8, &Aam);
        b.Add(Code.Aad_imm8, &Aad);
        b.Add(Code.Daa, &Daa);
        b.Add(Code.Das, &Das);
    }
}
