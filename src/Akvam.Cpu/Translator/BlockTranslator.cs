using System.Diagnostics;
using Akvam.Cpu.Interpreter;
using Iced.Intel;
using Needs = Akvam.Cpu.Translator.EncodedCoverage.Needs;

namespace Akvam.Cpu.Translator;

/// <summary>
/// Makes host code of a block. Each instruction is emitted again with mapped operands; memory operands go through the TLB inline; what is not covered, or
/// not in the TLB, calls the interpreter with the registers in the state. Host code knows its RIP: the same bytes elsewhere have host code of their own.
/// </summary>
/// <remarks>
/// Valid because the code it makes refers to its record, its page and its edges only, which stay as long.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Scratch = HostRegister.Scratch, Address = HostRegister.Address;

    private readonly Emitter _e;
    private readonly HostRoutines _routines;
    private readonly PageReader _reader = new();
    private readonly Decoder[] _decoders;
    private readonly InstructionInfoFactory _info = new();
    private readonly Instruction[] _guest = new Instruction[BlockCache.MaxInstructions];
    private readonly Coverage.Form[] _forms = new Coverage.Form[BlockCache.MaxInstructions];
    private readonly FlagUse[] _uses = new FlagUse[BlockCache.MaxInstructions];
    private readonly int[] _immediateSizes = new int[BlockCache.MaxInstructions];
    private readonly List<SlowPath> _slow = [];
    private readonly CodeStore _store;
    private Block* _block;

    /// <summary>It is 64-bit code.</summary>
    private bool _code64;
    private int _polledEntry, _directEntry;
    private readonly List<int> _stale = [];

    public BlockTranslator(Emitter emitter, HostRoutines routines, CodeStore store)
    {
        _e = emitter;
        _routines = routines;
        _store = store;
        _decoders = [Decoder.Create(16, _reader), Decoder.Create(32, _reader), Decoder.Create(64, _reader)];
        _encoder = Encoder.Create(64, new EmitterWriter(emitter));
    }

    /// <summary>Emits the code of a block at its <see cref="Block.Rip"/>, in its <see cref="Block.Page"/>, that will stand at <paramref name="origin"/>. A <paramref name="twin"/> has no groups of accesses.</summary>
    public void Translate(Block* b, nint origin, bool twin)
    {
        _block = b;
        _code64 = Coverage.Is64(b->Mode);
        _slow.Clear();
        StartWindows();
        _exits.Clear();
        _moved = 0;
        _edges.Clear();
        _e.Start(origin);
        Decode();
        FindGroups(none: twin || !_code64);
        FindLiveFlags();
        FindLoop();
        EmitEntries(out int requested, out int atLimit);
        ForgetAllAboutFlags();
        EnterUnits();
        EmitLoopEntry();
        bool ended = false;
        for (int n = 0; n < b->Count; n++)
        {
            ended = Emit(n);
        }

        if (!ended)
        {
            MoveStackPointer();
            SaveFlags();
            JumpToEdge(Next);
        }

        List<int> refused = EmitLoads();
        foreach (Unseen unseen in _unseen)
        {
            EmitUnseen(unseen);
        }

        for (int n = 0; n < _slow.Count; n++)
        {
            EmitSlowPath(_slow[n]);
        }

        EmitLoopExits();
        EmitSideExits();
        EmitStubs();
        _e.Patch(atLimit);
        foreach (int jump in refused)
        {
            _e.Patch(jump);
        }

        _e.AluImmediate(Add, HostRegister.Left, b->Count);
        _e.Patch(requested);
        int leave = _e.Position;
        StoreRip(b->Rip);
        _e.JumpTo(_routines.Leave);
        EmitVerify(leave);
        if (b->Page2 != null)
        {
            // No page alone says that all of its bytes are good.
            _polledEntry = _directEntry = 0;
        }

        b->PolledEntry = (ushort)_polledEntry;
        b->DirectEntry = (ushort)_directEntry;
    }

    /// <summary>
    /// Who comes from elsewhere has the page checked. Who goes back in the page looks at the requests, so that no loop goes on without. Nobody starts what would
    /// pass the limit on instructions.
    /// </summary>
    private void EmitEntries(out int requested, out int atLimit)
    {
        _stale.Clear();
        CheckPage(_block->Page);
        if (_block->Page2 != null)
        {
            CheckPage(_block->Page2);
        }

        _polledEntry = _e.Position;
        _e.AluImmediate(Compare, HostMemory.State(StateOffset.Requests), 0, wide: false);
        requested = _e.JumpIf(HostCondition.NotEqual);
        _directEntry = _e.Position;
        _e.AluImmediate(Subtract, HostRegister.Left, _block->Count);
        atLimit = _e.JumpIf(HostCondition.Below);
    }

    /// <summary>The page was not found good under the present circumstances: if it is, the block goes on.</summary>
    private void EmitVerify(int leave)
    {
        foreach (int jump in _stale)
        {
            _e.Patch(jump);
        }

        // What is found good again may have changed: no return goes there without a look.
        _e.Load(HostRegister.Rsp, HostMemory.State(StateOffset.StackBase));
        _e.MoveImmediate(Scratch, (ulong)_store.Record);
        _e.CallTo(_routines.Verify);
        _e.JumpBackIf(HostCondition.Equal, leave);
        _e.JumpBack(_polledEntry);
    }

    private void CheckPage(CodePage* page)
    {
        _e.MoveImmediate(Address, (ulong)page);
        _e.Load(Scratch, HostMemory.State(StateOffset.Stamp));
        _e.Op(0x3B, Scratch, new HostMemory(Address, StateOffset.PageStamp));
        _stale.Add(_e.JumpIf(HostCondition.NotEqual));
        _e.Load(Scratch, new HostMemory(Address, StateOffset.PageVersion));
        _e.Load32(Scratch, new HostMemory(Scratch));
        _e.Op(0x3B, Scratch, new HostMemory(Address, StateOffset.PageSeenVersion), wide: false);
        _stale.Add(_e.JumpIf(HostCondition.NotEqual));
    }

    private void StoreRip(ulong rip) => _e.Store64(HostMemory.State(StateOffset.Rip), rip, Scratch);

    private Insn* Insn(int n) => Block.First(_block) + n;

    /// <summary>Where the block ends.</summary>
    private ulong Next => RipOf(_block->Bytes);

    /// <summary>Of an instruction by its distance from the block's start.</summary>
    private ulong RipOf(int offset) => Cut(_block->Rip + (ulong)offset, _code64 ? 8 : 4);

    /// <summary>Where a branch leads: RIP is cut to the operand size.</summary>
    private ulong Target(int n) => Cut(_block->Rip + Insn(n)->Imm, _guest[n].Op0Kind switch { OpKind.NearBranch16 => 2, OpKind.NearBranch32 => 4, _ => 8 });

    private static ulong Cut(ulong value, int size) => size switch { 2 => (ushort)value, 4 => (uint)value, _ => value };

    private GuestAddress AddressOf(int n) => GuestAddress.Of(Insn(n), _block->Mode);

    private void Decode()
    {
        _reader.Set(Block.Code(_block), _block->Bytes);
        Decoder decoder = _decoders[(int)(_block->Mode & State.ModeKey.BitnessMask)];
        for (int n = 0; n < _block->Count; n++)
        {
            Insn* i = Insn(n);
            _reader.Position = i->Offset;
            decoder.IP = i->Offset;
            decoder.Decode(out _guest[n]);
            _forms[n] = _guest[n].IsInvalid ? Coverage.Form.Interpreted : Coverage.Of(i, _guest[n], _block->Mode);
            if (_forms[n] == Coverage.Form.Interpreted && !_guest[n].IsInvalid)
            {
                _needs[n] = _encoded.Of(i, _guest[n], _block->Mode);
                if ((_needs[n] & Needs.Covered) != 0)
                {
                    _forms[n] = Coverage.Form.Encoded;
                }
            }

            if (!_code64 && ((_forms[n] is Coverage.Form.Jump or Coverage.Form.JumpIf or Coverage.Form.Call && Target(n) > _block->Page->CodeLimit)
                || (_forms[n] is Coverage.Form.Call or Coverage.Form.CallIndirect && Cut(Next, StackSize(n)) > _block->Page->CodeLimit)))
            {
                // It faults if it gets there, or if its return does.
                _forms[n] = Coverage.Form.Interpreted;
            }

            _immediateSizes[n] = decoder.GetConstantOffsets(_guest[n]).ImmediateSize;
            Debug.Assert(_guest[n].IsInvalid || (int)_guest[n].Code == i->Code, "the block was decoded from other bytes");
        }
    }

    private bool Accesses(int n) => Coverage.HasMemory(_guest[n]) && _guest[n].Mnemonic != Mnemonic.Lea;

    /// <summary>Emits one instruction; true when it is a branch that ends the block.</summary>
    private bool Emit(int n)
    {
        if (!KeepsStackPointer(n))
        {
            MoveStackPointer();
        }

        KeepDeferred(n);
        switch (_forms[n])
        {
            case Coverage.Form.Plain:
                EmitPlain(n);
                return false;
            case Coverage.Form.Encoded:
                EmitEncoded(n);
                return false;
            case Coverage.Form.Divide:
                EmitDivide(n);
                return false;
            case Coverage.Form.Nothing:
                return false;
            case Coverage.Form.Push:
                EmitPush(n);
                return false;
            case Coverage.Form.PushMemory:
                EmitPushMemory(n);
                return false;
            case Coverage.Form.Pop:
                EmitPop(n);
                return false;
            case Coverage.Form.Leave:
                EmitLeave(n);
                return false;
            case Coverage.Form.ReadControl:
                EmitReadControl(n);
                return false;
            case Coverage.Form.SystemFlag:
                ForgetHostFlags();
                EmitSystemFlag(n);
                return false;
            case Coverage.Form.SwapGs:
                EmitSwapGs();
                return false;
            case Coverage.Form.ReadSegment:
                EmitReadSegment(n);
                return false;
            case Coverage.Form.PushFlags:
                EmitPushFlags(n);
                return false;
            case Coverage.Form.Interpreted:
                ForgetHostFlags();
                CallInterpreter(n, covered: false);
                _recipe = Recipe.Image;
                _held = Units.None;
                return false;
            case Coverage.Form.JumpIf when n != _block->Count - 1:
                EmitSideExit(n);
                return false;
            default:
                EmitBranch(n);
                return true;
        }
    }

    private void CallInterpreter(int n, bool covered)
    {
        _e.MoveImmediate(Scratch, (ulong)_store.Record);
        _e.Rex(false, 0, 0, Address >> 3, false);
        _e.U8(0xB8 | (Address & 7));
        _e.U32(n | (covered ? Fallback.SlowAccess : 0) | (FlagUse.IsNone(_guest[n]) ? Fallback.KeepsFlags : 0) | (IsShielded(n) ? Fallback.Shielded : 0));
        _e.CallTo(_routines.Interpret);
    }

    // ---- slow paths ----

    /// <summary>Behind the block: an instruction whose fast path could not go on. Resume -1: it is the last one.</summary>
    private readonly record struct SlowPath(int Jump, int Number, int Resume, bool RestoreFlags, Units Restore, Deferred? Deferred, bool Early, int Second = 0, int Third = 0, int Fourth = 0, int Fifth = 0, int Sixth = 0);

    /// <summary>From the jumps of instruction <paramref name="n"/> that have no resumption yet, come back here.</summary>
    private void ResumeHere(int n)
    {
        for (int k = _slow.Count - 1; k >= 0 && _slow[k].Number == n; k--)
        {
            _slow[k] = _slow[k] with { Resume = _e.Position, RestoreFlags = _inHost != 0, Restore = _held };
            _addendOf = -1;
        }
    }

    private void Slow(int jump, int n) => _slow.Add(new SlowPath(jump, n, -1, false, Units.None, _deferred, n < _loopWriter));

    private void EmitSlowPath(SlowPath path)
    {
        foreach (int jump in (ReadOnlySpan<int>)[path.Jump, path.Second, path.Third, path.Fourth, path.Fifth, path.Sixth])
        {
            if (jump != 0)
            {
                _e.Patch(jump);
            }
        }

        EmitLeaving(path.Deferred, path.Early);
        CallInterpreter(path.Number, covered: true);
        if (path.Resume < 0)
        {
            // Branches leave the block whatever they do.
            StoreRip(Next);
            _e.JumpTo(_routines.Leave);
            return;
        }

        LoadUnits(path.Restore);
        if (path.RestoreFlags)
        {
            Recipes.Emit(_e, Recipe.Image);
        }

        _e.JumpBack(path.Resume);
    }

    /// <summary>Iced's view of the block's copy of its bytes.</summary>
    private sealed class PageReader : CodeReader
    {
        private byte* _bytes;
        private int _count;

        public int Position { get; set; }

        public void Set(byte* bytes, int count)
        {
            _bytes = bytes;
            _count = count;
        }

        public override int ReadByte() => Position < _count ? _bytes[Position++] : -1;
    }
}
