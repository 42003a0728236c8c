using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>
/// Valid as the rest of it. A block that jumps to its own start comes back with its flags deferred, if nothing in it needs them otherwise before they are all
/// written again: what leaves the block until then stores them as the end of the loop has them.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The first instruction that writes all flags, if it is a loop with deferred flags; 0: it is not.</summary>
    private int _loopWriter;

    /// <summary>Before the body, where the loop comes back; and its jumps for those who have to leave.</summary>
    private int _loopEntry, _loopRequests, _loopLimit;
    private Units _loopHeld;

    /// <summary>What the flags are when the loop comes back; null: they are in the state.</summary>
    private Deferred? _loopDeferred;

    private void FindLoop()
    {
        _loopWriter = 0;
        _loopDeferred = null;
        int last = _block->Count - 1;
        if (last == 0 || _forms[last] != Coverage.Form.JumpIf || Target(last) != _block->Rip)
        {
            return;
        }

        int writer = -1;
        for (int n = 0; n < last; n++)
        {
            // They have to find the flags in the state, or read them.
            if (_forms[n] is Coverage.Form.Interpreted or Coverage.Form.PushFlags)
            {
                return;
            }

            if (writer < 0 && _uses[n].Reads != 0)
            {
                return;
            }

            if (writer < 0 && _uses[n].Writes != 0)
            {
                if (_uses[n].Writes != FlagUse.All)
                {
                    return;
                }

                writer = n;
            }
        }

        // The writer's own access still has the flags from before.
        _loopWriter = writer + 1;
    }

    /// <summary>
    /// What the entries of <see cref="EmitEntries"/> do, for the loop itself; the others jump over it. Registers that the block needs are held when the loop comes back.
    /// </summary>
    private void EmitLoopEntry()
    {
        _loopHeld = _held;
        if (_loopWriter == 0)
        {
            return;
        }

        int over = _e.Jump();
        _loopEntry = _e.Position;
        _e.AluImmediate(Compare, HostMemory.State(StateOffset.Requests), 0, wide: false);
        _loopRequests = _e.JumpIf(HostCondition.NotEqual);
        _e.AluImmediate(Subtract, HostRegister.Left, _block->Count);
        _loopLimit = _e.JumpIf(HostCondition.Below);
        _e.Patch(over);
    }

    /// <summary>The block's last jump, back to its start. True: it was emitted here.</summary>
    private bool TryLoop(int condition)
    {
        if (_loopWriter == 0 || (_loopHeld & ~_held) != 0)
        {
            return false;
        }

        if (_deferred is { } deferred && IsIntact(deferred))
        {
            _loopDeferred = deferred;
            if (_slow.Exists(p => p.Early) || _misses.Exists(m => m.Number < _loopWriter))
            {
                // They have to know where the flags are from.
                _e.Store32(HostMemory.State(StateOffset.FlagRecipe), (int)Recipe.Loop);
            }
        }
        else
        {
            SaveFlags();
        }

        _e.JumpBackIf(condition, _loopEntry);
        SaveFlags();
        return true;
    }

    /// <summary>The registers of the recipe are the same until the first instruction that writes flags.</summary>
    private bool IsIntact(in Deferred deferred)
    {
        for (int n = 0; n < _loopWriter - 1; n++)
        {
            foreach (UsedRegister used in _info.GetInfo(_guest[n]).GetUsedRegisters())
            {
                if (Writes(used.Access) && used.Register.IsGPR() && deferred.DependsOn(used.Register.GetFullRegister().GetNumber()))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>On a way out of the block: the flags are in the state afterwards. Early: before the loop has written any.</summary>
    private void EmitLeaving(Deferred? deferred, bool early)
    {
        if (deferred is { } known)
        {
            EmitStores(known);
        }
        else if (early && _loopDeferred is { } loop)
        {
            _e.AluImmediate(Compare, HostMemory.State(StateOffset.FlagRecipe), (int)Recipe.Loop, wide: false);
            int other = _e.JumpIf(HostCondition.NotEqual);
            EmitStores(loop);
            _e.Patch(other);
        }
    }

    private void EmitLoopExits()
    {
        if (_loopWriter == 0)
        {
            return;
        }

        _e.Patch(_loopLimit);
        _e.AluImmediate(Add, HostRegister.Left, _block->Count);
        _e.Patch(_loopRequests);
        EmitLeaving(_loopDeferred, early: false);
        StoreRip(_block->Rip);
        _e.JumpTo(_routines.Leave);
    }
}
