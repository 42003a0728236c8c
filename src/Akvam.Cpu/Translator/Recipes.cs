namespace Akvam.Cpu.Translator;

/// <summary>Host code that carries out a <see cref="Recipe"/>.</summary>
internal static class Recipes
{
    private const int BitTest = 0x0FBA, BitTestExtension = 4;

    /// <summary>The recipe of an operation on <paramref name="size"/> bytes.</summary>
    public static Recipe Of(Recipe operation, int size) => operation + int.Log2(size);

    /// <summary>True when CF is in <see cref="State.CpuState.FlagCarry"/>.</summary>
    public static bool KeepsCarry(Recipe recipe) => recipe is >= Recipe.Increment and < Recipe.Loop;

    /// <summary>Flags from the state to the host's RFLAGS. Changes the scratch register only.</summary>
    public static void Emit(Emitter e, Recipe recipe)
    {
        const int r = HostRegister.Scratch;
        HostMemory a = HostMemory.State(StateOffset.FlagA), b = HostMemory.State(StateOffset.FlagB);
        int size = 1 << ((int)recipe & 3);
        Recipe operation = recipe - ((int)recipe & 3);
        if (operation == Recipe.Image)
        {
            // ADD makes OF of bit 0, SAHF the others of AH.
            e.Move(r, HostRegister.Rax);
            e.Op(0x0FB7, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
            e.U8(0x04);
            e.U8(0x7F);
            e.U8(0x9E);
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
                break;
        }
    }
}
