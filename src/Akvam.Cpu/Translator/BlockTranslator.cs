using System.Diagnostics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;
using Iced.Intel;
using Needs = Akvam.Cpu.Translator.EncodedCoverage.Needs;

namespace Akvam.Cpu.Translator;

/// <summary>
/// Makes host code of a block. Each instruction is emitted again with mapped operands; memory operands go through the TLB inline; what is not covered, or
/// not in the TLB, calls the interpreter with the registers in the state. Host code does not contain RIP: a block may be mapped anywhere.
/// </summary>
/// <remarks>
/// Valid because the code it makes refers to its block and its instructions only, and is dropped with them. Flags: the host's RFLAGS hold the guest's while
/// <see cref="_inHost"/>; <see cref="CpuState.HostFlags"/> holds them while <see cref="_inState"/>. They are in the state at every point that may leave the block.
/// </remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Scratch = HostRegister.Scratch, Address = HostRegister.Address;

    private readonly Emitter _e;
    private readonly HostRoutines _routines;
    private readonly PageReader _reader = new();
    private readonly Decoder _decoder;
    private readonly InstructionInfoFactory _info = new();
    private readonly Instruction[] _guest = new Instruction[BlockCache.MaxInstructions];
    private readonly Coverage.Form[] _forms = new Coverage.Form[BlockCache.MaxInstructions];
    private readonly FlagUse[] _uses = new FlagUse[BlockCache.MaxInstructions];
    private readonly RflagsBits[] _liveAfter = new RflagsBits[BlockCache.MaxInstructions];
    private readonly int[] _immediateSizes = new int[BlockCache.MaxInstructions];
    private readonly List<SlowPath> _slow = [];
    private Block* _block;
    private bool _inHost, _inState;

    public BlockTranslator(Emitter emitter, HostRoutines routines)
    {
        _e = emitter;
        _routines = routines;
        _decoder = Decoder.Create(64, _reader);
        _encoder = Encoder.Create(64, new EmitterWriter(emitter));
    }

    /// <summary>Emits the code of a block that will stand at <paramref name="origin"/>.</summary>
    public void Translate(Block* b, nint origin)
    {
        _block = b;
        _slow.Clear();
        _e.Start(origin);
        Decode();
        FindLiveFlags();
        _inHost = false;
        _inState = true;
        EnterVectors();
        bool ended = false;
        for (int n = 0; n < b->Count; n++)
        {
            ended = Emit(n);
        }

        if (!ended)
        {
            SaveFlags();
            GoOn(taken: false, b->Bytes);
        }

        EmitVectorEntry();
        for (int n = 0; n < _slow.Count; n++)
        {
            EmitSlowPath(_slow[n]);
        }
    }

    private Insn* Insn(int n) => Block.First(_block) + n;

    private void Decode()
    {
        _reader.Set(Block.Code(_block), _block->Bytes);
        bool masked = true;
        for (int n = 0; n < _block->Count; n++)
        {
            Insn* i = Insn(n);
            _reader.Position = i->Offset;
            _decoder.IP = i->Offset;
            _decoder.Decode(out _guest[n]);
            _forms[n] = _guest[n].IsInvalid ? Coverage.Form.Interpreted : Coverage.Of(i, _guest[n]);
            if (_forms[n] == Coverage.Form.Interpreted && !_guest[n].IsInvalid)
            {
                _needs[n] = _encoded.Of(i, _guest[n], _block->Mode);
                masked &= !EncodedCoverage.LoadsMxcsr(_guest[n]);
                if ((_needs[n] & Needs.Covered) != 0 && (masked || (_needs[n] & Needs.Float) == 0))
                {
                    _forms[n] = Coverage.Form.Encoded;
                }
            }

            _immediateSizes[n] = _decoder.GetConstantOffsets(_guest[n]).ImmediateSize;
            Debug.Assert(_guest[n].IsInvalid || (int)_guest[n].Code == i->Code, "the block was decoded from other bytes");
        }
    }

    /// <summary>Backwards over the block. After it, and before whatever may leave it, all flags are live.</summary>
    private void FindLiveFlags()
    {
        RflagsBits live = FlagUse.All;
        for (int n = _block->Count - 1; n >= 0; n--)
        {
            _liveAfter[n] = live;
            Coverage.Form form = _forms[n];
            bool plain = form is Coverage.Form.Plain or Coverage.Form.Encoded;
            _uses[n] = plain ? FlagUse.Of(_guest[n]) : default;
            live = form == Coverage.Form.Nothing ? live
                : plain && !Accesses(n) ? (live & ~_uses[n].Writes) | _uses[n].Reads
                : FlagUse.All;
        }
    }

    private bool Accesses(int n) => Coverage.HasMemory(_guest[n]) && _guest[n].Mnemonic != Mnemonic.Lea;

    /// <summary>Emits one instruction; true when it is a branch, which ends the block.</summary>
    private bool Emit(int n)
    {
        switch (_forms[n])
        {
            case Coverage.Form.Plain:
                EmitPlain(n);
                return false;
            case Coverage.Form.Encoded:
                EmitEncoded(n);
                return false;
            case Coverage.Form.Nothing:
                return false;
            case Coverage.Form.Push:
                EmitPush(n);
                return false;
            case Coverage.Form.Pop:
                EmitPop(n);
                return false;
            case Coverage.Form.Leave:
                EmitLeave(n);
                return false;
            case Coverage.Form.Interpreted:
                ForgetHostFlags();
                CallInterpreter(n, covered: false);
                _vectors = false;
                return false;
            default:
                EmitBranch(n);
                return true;
        }
    }

    private void CallInterpreter(int n, bool covered)
    {
        _e.MoveImmediate(Scratch, (ulong)Insn(n));
        _e.Rex(false, 0, 0, Address >> 3, false);
        _e.U8(0xB8 | (Address & 7));
        _e.U32(n | (covered ? Fallback.SlowAccess : 0) | (FlagUse.IsNone(_guest[n]) ? Fallback.KeepsFlags : 0));
        _e.CallTo(_routines.Interpret);
    }

    // ---- flags ----

    /// <summary>The flags are in the state afterwards, and where they were before. Changes no flag.</summary>
    private void SaveFlags()
    {
        if (_inState)
        {
            return;
        }

        _e.Move(Scratch, HostRegister.Rax);
        _e.U8(0x9F);
        _e.Op(0x0F90, 0, HostRegister.Rax, wide: false);
        _e.U8(0x66);
        _e.Op(0x89, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
        _e.Move(HostRegister.Rax, Scratch);
        _inState = true;
    }

    /// <summary>Loads the flags from the state: ADD makes OF of bit 0, SAHF the others of AH.</summary>
    private void EmitRestoreFlags()
    {
        _e.Move(Scratch, HostRegister.Rax);
        _e.Op(0x0FB7, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
        _e.U8(0x04);
        _e.U8(0x7F);
        _e.U8(0x9E);
        _e.Move(HostRegister.Rax, Scratch);
    }

    private void NeedHostFlags()
    {
        if (!_inHost)
        {
            EmitRestoreFlags();
            _inHost = true;
        }
    }

    /// <summary>What follows changes the host's flags and may leave the block.</summary>
    private void ForgetHostFlags()
    {
        SaveFlags();
        _inHost = false;
    }

    // ---- slow paths ----

    /// <summary>Behind the block: an instruction whose fast path could not go on. Resume -1: it is the last one.</summary>
    private readonly record struct SlowPath(int Jump, int Number, int Resume, bool RestoreFlags, bool RestoreVectors);

    /// <summary>From the jumps of instruction <paramref name="n"/> that have no resumption yet, come back here.</summary>
    private void ResumeHere(int n)
    {
        for (int k = _slow.Count - 1; k >= 0 && _slow[k].Number == n; k--)
        {
            _slow[k] = _slow[k] with { Resume = _e.Position, RestoreFlags = _inHost, RestoreVectors = _vectors };
        }
    }

    private void Slow(int jump, int n) => _slow.Add(new SlowPath(jump, n, -1, false, false));

    private void EmitSlowPath(SlowPath path)
    {
        _e.Patch(path.Jump);
        CallInterpreter(path.Number, covered: true);
        if (path.Resume < 0)
        {
            GoOn(taken: false, _block->Bytes);
            return;
        }

        if (path.RestoreVectors)
        {
            _e.CallTo(_routines.LoadVectors);
        }

        if (path.RestoreFlags)
        {
            EmitRestoreFlags();
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
