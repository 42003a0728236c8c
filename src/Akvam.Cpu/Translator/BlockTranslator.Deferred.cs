using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>
/// Valid as the rest of it. While the operands of the last operation are still in their registers, its recipe need not be in the state: who leaves the block stores it
/// on the way out. It is stored in passing only before one of the registers changes, and at the end of the block.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The recipe that is not in the state although <see cref="_inState"/> says that flags can be had from there; null: it is.</summary>
    private Deferred? _deferred;

    /// <summary>
    /// A recipe whose operands are in guest registers: <see cref="A"/> as it is, or as it was before <see cref="B"/> was added to it or subtracted (<see cref="Undo"/>: 1, -1);
    /// <see cref="B"/> -1: the constant.
    /// </summary>
    private readonly record struct Deferred(Recipe Recipe, int A, int Undo, int B, int Constant)
    {
        public bool DependsOn(int guest) => A == guest || B == guest;
    }

    /// <summary>The deferred recipe of an operation on registers, if it can be given after it.</summary>
    private Deferred? Defer(in Instruction x, in Operation operation, int size)
    {
        if (x.Op0Kind != OpKind.Register || (operation.Source >= 0 && x.Op1Kind == OpKind.Memory))
        {
            return null;
        }

        Recipe recipe = Recipes.Of(operation.Recipe, size);
        int a = Guest(x, 0), b = operation.Source >= 0 && x.Op1Kind == OpKind.Register ? Guest(x, 1) : -1;
        int constant = operation.Source >= 0 && b < 0 ? (int)x.GetImmediate(1) : 0;
        switch (operation.Recipe)
        {
            case Recipe.Logic:
                return new Deferred(recipe, a, 0, -1, 0);
            case Recipe.Test:
            case Recipe.Sub when operation.Keeps:
                return new Deferred(recipe, a, 0, b, constant);
            case Recipe.Increment:
                return new Deferred(recipe, a, 1, -1, 1);
            case Recipe.Decrement:
                return new Deferred(recipe, a, -1, -1, 1);
            case Recipe.Add when a != b && constant != int.MinValue && (b < 0 || HostRegister.Of(a) >= 0):
                return new Deferred(recipe, a, 1, b, constant);
            case Recipe.Sub when x.Mnemonic == Mnemonic.Sub && a != b && (b < 0 || HostRegister.Of(a) >= 0):
                return new Deferred(recipe, a, -1, b, constant);
            default:
                return null;
        }
    }

    /// <summary>Before an instruction that changes a register of the deferred recipe, unless it writes flags itself: then it has taken care.</summary>
    private void KeepDeferred(int n)
    {
        if (_deferred is not { } deferred || _uses[n].Writes != 0 || _forms[n] == Coverage.Form.Nothing)
        {
            return;
        }

        foreach (UsedRegister used in _info.GetInfo(_guest[n]).GetUsedRegisters())
        {
            if (Writes(used.Access) && used.Register.IsGPR() && deferred.DependsOn(used.Register.GetFullRegister().GetNumber()))
            {
                StoreDeferred();
                return;
            }
        }
    }

    /// <summary>Stores what was deferred. Changes no flag, but the scratch register.</summary>
    private void StoreDeferred()
    {
        if (_deferred is { } deferred)
        {
            _deferred = null;
            EmitStores(deferred);
            _recipe = deferred.Recipe;
        }
    }

    private void EmitStores(in Deferred d)
    {
        HostMemory a = HostMemory.State(StateOffset.FlagA), b = HostMemory.State(StateOffset.FlagB);
        int host = HostRegister.Of(d.A);
        if (d.Undo == 0)
        {
            _e.Store(a, LoadGuest(d.A, Scratch));
        }
        else if (d.B < 0)
        {
            _e.Lea(Scratch, new HostMemory(LoadGuest(d.A, Scratch), -d.Undo * d.Constant));
            _e.Store(a, Scratch);
        }
        else if (d.Undo < 0)
        {
            _e.Lea(Scratch, new HostMemory(host, LoadGuest(d.B, Scratch), 0, 0));
            _e.Store(a, Scratch);
        }
        else
        {
            // A - B = A + not B + 1, without a flag.
            int other = LoadGuest(d.B, Scratch);
            if (other != Scratch)
            {
                _e.Move(Scratch, other);
            }

            _e.Op(0xF7, 2, Scratch);
            _e.Lea(Scratch, new HostMemory(Scratch, host, 0, 1));
            _e.Store(a, Scratch);
        }

        Recipe operation = d.Recipe - ((int)d.Recipe & 3);
        if (d.B >= 0)
        {
            _e.Store(b, LoadGuest(d.B, Scratch));
        }
        else if (operation is Recipe.Add or Recipe.Sub or Recipe.Test)
        {
            _e.Store64(b, (ulong)d.Constant, -1);
        }

        _e.Store32(HostMemory.State(StateOffset.FlagRecipe), (int)d.Recipe);
    }
}
