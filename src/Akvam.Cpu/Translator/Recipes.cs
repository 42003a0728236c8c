using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>Host code that carries out a <see cref="Recipe"/>, and what hosts make differently is made alike (<see cref="Flags.UndefinedFlags"/>).</summary>
internal static class Recipes
{
    private const int BitTest = 0x0FBA, BitTestExtension = 4;

    /// <summary>The recipe of an operation on <paramref name="size"/> bytes.</summary>
    public static Recipe Of(Recipe operation, int size) => operation + int.Log2(size);

    /// <summary>True when CF is in <see cref="State.CpuState.FlagCarry"/>.</summary>
    public static bool KeepsCarry(Recipe recipe) => recipe is >= Recipe.Increment and < Recipe.Loop;

    /// <summary>Clears flags of the host's RFLAGS, and stores the image if asked to. Changes the scratch register only.</summary>
    public static void Clear(Emitter e, RflagsBits flags, bool store)
    {
        e.Move(HostRegister.Scratch, HostRegister.Rax);
        StartImage(e, flags);
        EndImage(e, flags, store);
    }

    /// <summary>As <see cref="Clear"/> after a shift by CL, whose count was kept in <see cref="StateOffset.Saved"/>: one of 0 has changed no flag.</summary>
    public static void ClearAfterShift(Emitter e, RflagsBits flags, int size)
    {
        const int TestByte = 0xF6;
        e.Move(HostRegister.Scratch, HostRegister.Rax);
        StartImage(e, RflagsBits.None);
        e.Op(TestByte, 0, HostMemory.State(StateOffset.Saved), wide: false);
        e.U8(size == 8 ? 63 : 31);
        int none = e.ShortJumpIf(HostCondition.Equal);
        AndAh(e, flags);
        e.PatchShort(none);
        EndImage(e, RflagsBits.None, store: false);
    }

    private static void StartImage(Emitter e, RflagsBits clear)
    {
        e.U8(0x9F);
        if ((clear & RflagsBits.OF) != 0)
        {
            e.U8(0xB0);
            e.U8(0);
        }
        else
        {
            e.Op(0x0F90, 0, HostRegister.Rax, wide: false);
        }
    }

    private static void EndImage(Emitter e, RflagsBits clear, bool store)
    {
        AndAh(e, clear);
        if (store)
        {
            e.U8(0x66);
            e.Op(0x89, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
        }

        LoadImage(e);
        e.Move(HostRegister.Rax, HostRegister.Scratch);
    }

    /// <summary>The flags that LAHF gives have their bits of RFLAGS in AH.</summary>
    private static void AndAh(Emitter e, RflagsBits clear)
    {
        int bits = ((clear & RflagsBits.SF) != 0 ? 0x80 : 0) | ((clear & RflagsBits.ZF) != 0 ? 0x40 : 0) | ((clear & RflagsBits.AF) != 0 ? 0x10 : 0)
            | ((clear & RflagsBits.PF) != 0 ? 4 : 0) | ((clear & RflagsBits.CF) != 0 ? 1 : 0);
        if (bits != 0)
        {
            e.U8(0x80);
            e.U8(0xE4);
            e.U8(~bits);
        }
    }

    /// <summary>ADD makes OF of bit 0 of AL, SAHF the others of AH.</summary>
    private static void LoadImage(Emitter e)
    {
        e.U8(0x04);
        e.U8(0x7F);
        e.U8(0x9E);
    }

    /// <summary>Flags from the state to the host's RFLAGS. Changes the scratch register only.</summary>
    public static void Emit(Emitter e, Recipe recipe)
    {
        const int r = HostRegister.Scratch;
        HostMemory a = HostMemory.State(StateOffset.FlagA), b = HostMemory.State(StateOffset.FlagB);
        int size = 1 << ((int)recipe & 3);
        Recipe operation = recipe - ((int)recipe & 3);
        if (operation == Recipe.Image)
        {
            e.Move(r, HostRegister.Rax);
            e.Op(0x0FB7, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
            LoadImage(e);
            e.Move(HostRegister.Rax, r);
            return;
        }

        e.Load(r, a);
        if (KeepsCarry(operation))
        {
            e.Op(BitTest, BitTestExtension, HostMemory.State(StateOffset.FlagCarry), wide: false);
            e.U8(0);
        }

        switch (operation)
        {
            case Recipe.Add:
                e.SizedOp(0x02, size, r, b);
                break;
            case Recipe.Sub:
                e.SizedOp(0x2A, size, r, b);
                break;
            case Recipe.Test:
                e.SizedOp(0x84, size, r, b);
                break;
            case Recipe.Imul:
                e.SizedOp(0x0FAF, size, r, b);
                Clear(e, RflagsBits.SF | RflagsBits.ZF | RflagsBits.AF | RflagsBits.PF, store: false);
                break;
            case Recipe.Logic:
                e.SizedOp(0x84, size, r, r);
                break;
            case Recipe.Increment:
                e.SizedOp(0xFE, size, 0, r);
                break;
            case Recipe.Decrement:
                e.SizedOp(0xFE, size, 1, r);
                break;
            default:
                e.Store(HostMemory.State(StateOffset.Saved), HostRegister.Rcx);
                e.Load(HostRegister.Rcx, b);
                e.SizedOp(0xD2, size, operation == Recipe.ShiftLeft ? 4 : operation == Recipe.ShiftRight ? 5 : 7, r);
                e.Load(HostRegister.Rcx, HostMemory.State(StateOffset.Saved));
                Clear(e, RflagsBits.AF, store: false);
                break;
        }
    }
}
