using System.Diagnostics;
using Akvam.Cpu.Interpreter;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <remarks>
/// Valid as the rest of it. The host's RFLAGS hold those flags of the guest that <see cref="_inHost"/> says; the state has all of them, by some <see cref="Recipe"/>,
/// while <see cref="_inState"/>. They are in the state at every point that may leave the block.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    private readonly RflagsBits[] _liveAfter = new RflagsBits[BlockCache.MaxInstructions];
    private readonly bool[] _leftWith = new bool[BlockCache.MaxInstructions], _jumpsWith = new bool[BlockCache.MaxInstructions];
    private RflagsBits _inHost;
    private bool _inState;

    /// <summary>Flags that are clear, but not in the host's RFLAGS, where an operation that leaves them undefined has left something.</summary>
    private RflagsBits _clear;

    /// <summary>By which recipe the flags are in the state; null: that depends on the way here.</summary>
    private Recipe? _recipe;

    /// <summary>
    /// Backwards over the block. After it, and before whatever may leave it, all flags are live. <see cref="_leftWith"/>: the block may be left before another
    /// instruction writes flags; <see cref="_jumpsWith"/>: a jump may leave it.
    /// </summary>
    private void FindLiveFlags()
    {
        RflagsBits live = FlagUse.All;
        bool left = true, jumps = false;
        for (int n = _block->Count - 1; n >= 0; n--)
        {
            _liveAfter[n] = live;
            _leftWith[n] = left;
            _jumpsWith[n] = jumps;
            Coverage.Form form = _forms[n];
            bool plain = form is Coverage.Form.Plain or Coverage.Form.Encoded;
            _uses[n] = plain ? FlagUse.Of(_guest[n]) : form == Coverage.Form.JumpIf ? new FlagUse(_guest[n].RflagsRead & FlagUse.All, 0) : default;
            if (form == Coverage.Form.Nothing)
            {
                continue;
            }

            if ((plain && !MayLeave(n)) || (form is Coverage.Form.Push or Coverage.Form.Pop && IsFound(n)))
            {
                live = (live & ~_uses[n].Writes) | _uses[n].Reads;
                left &= _uses[n].Writes == 0;
                jumps &= _uses[n].Writes == 0;
            }
            else
            {
                live = FlagUse.All;
                jumps |= form == Coverage.Form.JumpIf;
                left |= form != Coverage.Form.JumpIf;
            }
        }
    }

    /// <summary>The flags that have to be in the host's RFLAGS when an instruction is executed there: those it reads, and those that it leaves as they are and somebody needs later.</summary>
    private RflagsBits NeededFlags(int n)
    {
        FlagUse use = _uses[n];
        return use.Reads | (use.Writes != 0 ? _liveAfter[n] & ~use.Writes : 0);
    }

    /// <summary>At the start of the block: in the state, by whatever recipe.</summary>
    private void ForgetAllAboutFlags()
    {
        _inHost = 0;
        _inState = true;
        _recipe = null;
        _deferred = null;
        _clear = 0;
    }

    /// <summary>An instruction has changed the host's flags as the guest's.</summary>
    private void FlagsWritten(FlagUse use)
    {
        if (use.Writes != 0)
        {
            _inHost = (_inHost | use.Writes) & ~use.Clear;
            _clear = (_clear & ~use.Writes) | use.Clear;
            _inState = false;
            _deferred = null;
        }
    }

    /// <summary>The flags are in the state afterwards, and where they were before. Changes no flag.</summary>
    private void SaveFlags()
    {
        if (_inState)
        {
            StoreDeferred();
            return;
        }

        SaveImage(_clear);
        if (_clear != 0)
        {
            _inHost |= _clear;
            _clear = 0;
        }

        _recipe = Recipe.Image;
        _inState = true;
    }

    /// <summary>From the host's RFLAGS to the state, but for flags that are clear.</summary>
    private void SaveImage(RflagsBits clear)
    {
        _e.Store32(HostMemory.State(StateOffset.FlagRecipe), (int)Recipe.Image);
        if (clear != 0)
        {
            Recipes.Clear(_e, clear, store: true);
            return;
        }

        _e.Move(Scratch, HostRegister.Rax);
        _e.U8(0x9F);
        _e.Op(0x0F90, 0, HostRegister.Rax, wide: false);
        _e.U8(0x66);
        _e.Op(0x89, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
        _e.Move(HostRegister.Rax, Scratch);
    }

    private void SetRecipe(Recipe recipe)
    {
        _e.Store32(HostMemory.State(StateOffset.FlagRecipe), (int)recipe);
        _recipe = recipe;
        _inState = true;
    }

    /// <summary>The flags are in the host's RFLAGS afterwards. Changes the scratch register.</summary>
    private void NeedHostFlags(RflagsBits flags = FlagUse.All)
    {
        if ((flags & ~_inHost) == 0)
        {
            return;
        }

        if (!_inState)
        {
            Debug.Assert((flags & ~(_inHost | _clear)) == 0, "flags are needed that are nowhere");
            ClearHostFlags();
            return;
        }

        StoreDeferred();

        if (_recipe is { } recipe)
        {
            Recipes.Emit(_e, recipe);
        }
        else
        {
            _e.CallTo(_routines.RestoreFlags);
        }

        _inHost = FlagUse.All;
        _clear = 0;
    }

    private void ClearHostFlags()
    {
        Recipes.Clear(_e, _clear, store: false);
        _inHost |= _clear;
        _clear = 0;
    }

    /// <summary>CF goes to where recipes expect it. Changes flags, unless they are all in the host's RFLAGS, and the scratch register.</summary>
    private void KeepCarry()
    {
        if (!_inState)
        {
            NeedHostFlags(RflagsBits.CF);
        }

        if ((_inHost & RflagsBits.CF) == 0)
        {
            if (_deferred is { } deferred && Recipes.KeepsCarry(deferred.Recipe))
            {
                return;
            }

            StoreDeferred();
            if (_recipe is { } known && Recipes.KeepsCarry(known))
            {
                return;
            }

            if (_recipe == null)
            {
                _e.AluImmediate(Compare, HostMemory.State(StateOffset.FlagRecipe), (int)Recipe.Increment, wide: false);
                int kept = _e.ShortJumpIf(HostCondition.AboveOrEqual);
                _e.CallTo(_routines.RestoreFlags);
                StoreCarry();
                _e.PatchShort(kept);
                _inHost = 0;
                return;
            }

            NeedHostFlags();
            _inHost = 0;
        }

        StoreCarry();
    }

    private void StoreCarry() => _e.Op(0x0F92, 0, HostMemory.State(StateOffset.FlagCarry), wide: false);

    /// <summary>Before an access to memory: it changes the host's flags and may leave the block, unless the TLB was searched for it before.</summary>
    private void BeforeAccess(int n)
    {
        if (!IsFound(n))
        {
            BeforeLeaving();
        }
    }

    /// <summary>Before what changes the host's flags and may leave the block by a slow path, which stores what is deferred.</summary>
    private void BeforeLeaving()
    {
        if (_deferred == null)
        {
            SaveFlags();
        }

        _inHost = 0;
    }

    /// <summary>What follows changes the host's flags and may leave the block.</summary>
    private void ForgetHostFlags()
    {
        SaveFlags();
        _inHost = 0;
    }
}
