using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>
/// Valid as the rest of it. Here are the operations whose flags the block may be left with: their operands are stored first, so that a <see cref="Recipe"/> can give the flags.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int TestOpcode = 0x84, ImulOpcode = 0x0FAF;

    /// <summary>
    /// An operation: its recipe, the opcode of its form for bytes (or, with <see cref="Extension"/>, that of ModRM) and the operands. <see cref="Source"/> -1: none;
    /// <see cref="Keeps"/>: the destination is not written.
    /// </summary>
    private readonly record struct Operation(Recipe Recipe, int Opcode, int Extension, int Source, bool Keeps);

    /// <summary>The operation that an instruction is, if there is a recipe for its flags.</summary>
    private static bool TryOperation(in Instruction x, out Operation operation)
    {
        operation = default;
        if (x.HasLockPrefix || Coverage.HasHighByte(x))
        {
            return false;
        }

        switch (x.Mnemonic)
        {
            case Mnemonic.Add:
                operation = new Operation(Recipe.Add, 0x00, -1, 1, false);
                break;
            case Mnemonic.Or:
                operation = new Operation(Recipe.Logic, 0x08, -1, 1, false);
                break;
            case Mnemonic.And:
                operation = new Operation(Recipe.Logic, 0x20, -1, 1, false);
                break;
            case Mnemonic.Sub:
                operation = new Operation(Recipe.Sub, 0x28, -1, 1, false);
                break;
            case Mnemonic.Xor:
                operation = new Operation(Recipe.Logic, 0x30, -1, 1, false);
                break;
            case Mnemonic.Cmp:
                operation = new Operation(Recipe.Sub, 0x38, -1, 1, true);
                break;
            case Mnemonic.Test:
                bool same = x.Op0Kind == OpKind.Register && x.Op1Kind == OpKind.Register && x.Op0Register == x.Op1Register;
                operation = new Operation(same ? Recipe.Logic : Recipe.Test, TestOpcode, -1, 1, true);
                break;
            case Mnemonic.Inc:
                operation = new Operation(Recipe.Increment, 0xFE, 0, -1, false);
                break;
            case Mnemonic.Dec:
                operation = new Operation(Recipe.Decrement, 0xFE, 1, -1, false);
                break;
            case Mnemonic.Neg:
                operation = new Operation(Recipe.Sub, 0xF6, 3, -1, false);
                break;
            case Mnemonic.Imul when x.OpCount == 2:
                operation = new Operation(Recipe.Imul, ImulOpcode, -1, 1, false);
                break;
            case Mnemonic.Shl or Mnemonic.Sal or Mnemonic.Shr or Mnemonic.Sar:
                if (x.Op1Kind != OpKind.Immediate8 || (x.GetImmediate(1) & (SizeOf(x) == 8 ? 63u : 31u)) == 0)
                {
                    return false;
                }

                operation = x.Mnemonic switch
                {
                    Mnemonic.Shr => new Operation(Recipe.ShiftRight, 0xC0, 5, 1, false),
                    Mnemonic.Sar => new Operation(Recipe.ShiftArithmetic, 0xC0, 7, 1, false),
                    _ => new Operation(Recipe.ShiftLeft, 0xC0, 4, 1, false),
                };
                break;
            default:
                return false;
        }

        return true;
    }

    private static int SizeOf(in Instruction x) => x.Op0Kind == OpKind.Register ? x.Op0Register.GetSize() : x.MemorySize.GetSize();

    private void EmitOperation(int n, in Operation operation)
    {
        ref readonly Instruction x = ref _guest[n];
        int size = SizeOf(x);
        if (Recipes.KeepsCarry(operation.Recipe))
        {
            KeepCarry();
        }

        if (x.Op0Kind == OpKind.Memory)
        {
            EmitOnMemory(n, operation, size);
            return;
        }

        int guest = Guest(x, 0), source = -1, to;
        bool memory = operation.Source >= 0 && x.Op1Kind == OpKind.Memory;
        if (memory)
        {
            _e.LoadSized(Scratch, FindOperand(n, size, write: false), size);
            source = Scratch;
            to = LoadGuest(guest, Address);
        }
        else
        {
            to = LoadGuest(guest, Scratch);
            if (operation.Source >= 0 && x.Op1Kind == OpKind.Register)
            {
                source = Guest(x, 1) == guest ? to : LoadGuest(Guest(x, 1), Address);
            }
        }

        Deferred? deferred = Defer(x, operation, size);
        if (deferred == null)
        {
            StoreOperands(x, operation, to, source);
        }

        Apply(x, operation, size, to, source);
        if (!operation.Keeps)
        {
            StoreGuest(guest, to);
        }

        if (deferred != null)
        {
            FlagsWritten(_uses[n]);
            _inState = true;
            _recipe = null;
            _deferred = deferred;
        }
        else
        {
            Finish(n, operation, size, to);
        }

        if (memory)
        {
            AfterAccess(n);
        }
    }

    /// <summary>On memory: loaded, changed and stored, so that the operand that is kept is the one that was used.</summary>
    private void EmitOnMemory(int n, in Operation operation, int size)
    {
        ref readonly Instruction x = ref _guest[n];
        HostMemory operand = FindOperand(n, size, write: !operation.Keeps);
        _e.LoadSized(Scratch, operand, size);
        int guest = operation.Source >= 0 && x.Op1Kind == OpKind.Register ? Guest(x, 1) : -1;
        int source = guest < 0 ? -1 : HostRegister.Of(guest);
        if (guest >= 0 && source < 0 && operation.Keeps)
        {
            source = LoadGuest(guest, Address);
        }

        if (guest >= 0 && source < 0)
        {
            // No register is free: from memory to memory.
            HostMemory register = HostMemory.State(guest * 8);
            _e.Push(register);
            _e.Pop(HostMemory.State(StateOffset.FlagB));
            if (operation.Recipe != Recipe.Logic)
            {
                _e.Store(HostMemory.State(StateOffset.FlagA), Scratch);
            }

            _e.SizedOp(operation.Opcode | 2, size, Scratch, register);
        }
        else
        {
            StoreOperands(x, operation, Scratch, source);
            Apply(x, operation, size, Scratch, source);
        }

        if (!operation.Keeps)
        {
            _e.StoreSized(operand, Scratch, size);
        }

        Finish(n, operation, size, Scratch);
        AfterAccess(n);
    }

    private HostMemory FindOperand(int n, int size, bool write)
    {
        GuestAddress address = AddressOf(n);
        BeforeAccess(n);
        LookUp(n, address, size, write);
        return Operand(address);
    }

    /// <summary>The slow path comes back here. There the flags are an image: where they were written, how they are in the state depends on the way from here on.</summary>
    private void AfterAccess(int n)
    {
        ResumeHere(n);
        if (_uses[n].Writes != 0 && !IsFound(n))
        {
            _recipe = null;
        }
    }

    private void StoreOperands(in Instruction x, in Operation operation, int to, int source)
    {
        HostMemory a = HostMemory.State(StateOffset.FlagA), b = HostMemory.State(StateOffset.FlagB);
        if (operation.Recipe == Recipe.Logic)
        {
            // The result is enough.
            return;
        }

        if (x.Mnemonic == Mnemonic.Neg)
        {
            _e.Store64(a, 0, -1);
            _e.Store(b, to);
            return;
        }

        _e.Store(a, to);
        if (source >= 0)
        {
            _e.Store(b, source);
        }
        else if (operation.Source >= 0)
        {
            _e.Store64(b, (ulong)(int)x.GetImmediate(1), -1);
        }
    }

    private void Apply(in Instruction x, in Operation operation, int size, int to, int source)
    {
        if (operation.Extension >= 0)
        {
            _e.SizedOp(operation.Opcode, size, operation.Extension, to);
            if (operation.Source >= 0)
            {
                _e.U8((int)x.GetImmediate(1));
            }
        }
        else if (operation.Opcode == ImulOpcode)
        {
            _e.SizedOp(ImulOpcode, size, to, source);
        }
        else if (source >= 0)
        {
            _e.SizedOp(operation.Opcode, size, source, to);
        }
        else if (operation.Opcode == TestOpcode)
        {
            _e.SizedOp(0xF6, size, 0, to);
            _e.ImmediateOf(size, (int)x.GetImmediate(1));
        }
        else
        {
            _e.SizedImmediate(operation.Opcode >> 3, size, to, (int)x.GetImmediate(1));
        }
    }

    private void Finish(int n, in Operation operation, int size, int result)
    {
        if (operation.Recipe == Recipe.Logic)
        {
            _e.Store(HostMemory.State(StateOffset.FlagA), result);
        }

        FlagsWritten(_uses[n]);
        SetRecipe(Recipes.Of(operation.Recipe, size));
    }
}
