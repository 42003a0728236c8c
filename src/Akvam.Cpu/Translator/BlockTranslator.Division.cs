using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>
/// Valid as the rest of it. The host divides what it can divide without #DE; the rest is left to the interpreter. Flags stay as they are: what the manuals call undefined
/// does not change there.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int DivideOpcode = 0xF6, Divide = 6, DivideSigned = 7;

    /// <summary>DIV and IDIV of EDX:EAX or RDX:RAX.</summary>
    private void EmitDivide(int n)
    {
        ref readonly Instruction x = ref _guest[n];
        int size = SizeOf(x), divisor;
        BeforeLeaving();
        if (Accesses(n))
        {
            _e.LoadSized(Scratch, FindOperand(n, size, write: false), size);
            divisor = Scratch;
        }
        else
        {
            divisor = LoadGuest(Guest(x, 0), Scratch);
        }

        bool wide = size == 8, signed = x.Mnemonic == Mnemonic.Idiv;
        if (signed)
        {
            // The dividend is one whose upper half is only the sign of the lower one: what compilers make.
            _e.Op(0x8B, Address, HostRegister.Rax, wide);
            _e.ShiftImmediate(ShiftArithmetic, Address, (size * 8) - 1, wide);
            _e.Op(0x3B, Address, HostRegister.Rdx, wide);
            int tooLong = _e.JumpIf(HostCondition.NotEqual);

            // Nor is the divisor 0, or -1, by which the smallest dividend cannot be divided.
            _e.Op(0x8D, Address, new HostMemory(divisor, 1), wide);
            _e.AluImmediate(Compare, Address, 1, wide);
            Slow(_e.JumpIf(HostCondition.BelowOrEqual), n);
            _slow[^1] = _slow[^1] with { Second = tooLong };
        }
        else
        {
            // The quotient fits if the upper half of the dividend is less than the divisor, which is not 0 then.
            _e.Op(0x3B, HostRegister.Rdx, divisor, wide);
            Slow(_e.JumpIf(HostCondition.AboveOrEqual), n);
        }

        _e.SizedOp(DivideOpcode, size, signed ? DivideSigned : Divide, divisor);
        ResumeHere(n);
    }
}
