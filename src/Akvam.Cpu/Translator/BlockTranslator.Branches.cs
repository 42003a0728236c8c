using Akvam.Cpu.Interpreter;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Add = 0, ShiftLeft = 4, ShiftArithmetic = 7, CanonicalShift = 16;

    private static HostMemory Stack(int disp) => new(Address, HostRegister.GuestRsp, 0, disp);

    private void MoveStackPointer(int bytes) => _e.Lea(HostRegister.GuestRsp, new HostMemory(HostRegister.GuestRsp, bytes));

    private void EmitPush(int n)
    {
        ForgetHostFlags();
        LookUp(n, GuestAddress.At(Gpr.Rsp, -8), 8, write: true);
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            _e.Store(Stack(-8), LoadGuest(Guest(_guest[n], 0), Scratch));
        }
        else
        {
            _e.Op(0xC7, 0, Stack(-8));
            _e.U32((int)Insn(n)->Imm);
        }

        MoveStackPointer(-8);
        ResumeHere(n);
    }

    private void EmitPop(int n)
    {
        int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
        ForgetHostFlags();
        LookUp(n, GuestAddress.At(Gpr.Rsp, 0), 8, write: false);
        _e.Load(host < 0 ? Scratch : host, Stack(0));
        if (guest != Gpr.Rsp)
        {
            MoveStackPointer(8);
            StoreGuest(guest, Scratch);
        }

        ResumeHere(n);
    }

    private void EmitLeave(int n)
    {
        ForgetHostFlags();
        LookUp(n, GuestAddress.At(Gpr.Rbp, 0), 8, write: false);
        _e.Lea(HostRegister.GuestRsp, new HostMemory(HostRegister.Rbp, 8));
        _e.Load(HostRegister.Rbp, new HostMemory(Address, HostRegister.Rbp, 0, 0));
        ResumeHere(n);
    }

    private void EmitBranch(int n)
    {
        Insn* i = Insn(n);
        switch (_forms[n])
        {
            case Coverage.Form.JumpIf:
                NeedHostFlags();
                SaveFlags();
                int condition = new GuestBytes(new ReadOnlySpan<byte>(Block.Code(_block) + i->Offset, i->Length)).Opcode & 15;
                int taken = _e.JumpIf(condition);
                GoOn(taken: false, _block->Bytes);
                _e.Patch(taken);
                CheckTarget(n, (int)i->Imm);
                GoOn(taken: true, (int)i->Imm);
                break;
            case Coverage.Form.Jump:
                ForgetHostFlags();
                CheckTarget(n, (int)i->Imm);
                GoOn(taken: true, (int)i->Imm);
                break;
            case Coverage.Form.Call:
                ForgetHostFlags();
                CheckTarget(n, (int)i->Imm);
                PushReturnAddress(n);
                GoOn(taken: true, (int)i->Imm);
                break;
            case Coverage.Form.JumpIndirect:
                ForgetHostFlags();
                LoadTarget(n);
                CheckCanonical(n);
                GoToScratch();
                break;
            case Coverage.Form.CallIndirect:
                ForgetHostFlags();
                LoadTarget(n);
                CheckCanonical(n);
                _e.Store(HostMemory.State(StateOffset.JumpTarget), Scratch);
                PushReturnAddress(n);
                _e.Load(Scratch, HostMemory.State(StateOffset.JumpTarget));
                GoToScratch();
                break;
            default:
                ForgetHostFlags();
                LookUp(n, GuestAddress.At(Gpr.Rsp, 0), 8, write: false);
                _e.Load(Scratch, Stack(0));
                CheckCanonical(n);
                MoveStackPointer(8 + (ushort)i->Imm);
                GoToScratch();
                break;
        }
    }

    /// <summary>The target of an indirect branch into the scratch register.</summary>
    private void LoadTarget(int n)
    {
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
            if (host < 0)
            {
                _e.Load(Scratch, HostMemory.State(guest * 8));
            }
            else
            {
                _e.Move(Scratch, host);
            }

            return;
        }

        GuestAddress address = GuestAddress.Of(Insn(n));
        LookUp(n, address, 8, write: false);
        _e.Load(Scratch, Operand(address));
    }

    private void PushReturnAddress(int n)
    {
        LookUp(n, GuestAddress.At(Gpr.Rsp, -8), 8, write: true);
        _e.Load(Scratch, HostMemory.State(StateOffset.Rip));
        _e.Lea(Scratch, new HostMemory(Scratch, _block->Bytes));
        _e.Store(Stack(-8), Scratch);
        MoveStackPointer(-8);
    }

    /// <summary>Within the page a direct target is as canonical as the branch; others are checked, because the fault belongs to the branch.</summary>
    private void CheckTarget(int n, int delta)
    {
        if (!IsSamePage(delta))
        {
            _e.Load(Scratch, HostMemory.State(StateOffset.Rip));
            _e.Lea(Scratch, new HostMemory(Scratch, delta));
            CheckCanonical(n);
        }
    }

    /// <summary>Canonical in 48 bits; the interpreter decides about others.</summary>
    private void CheckCanonical(int n)
    {
        _e.Move(Address, Scratch);
        _e.ShiftImmediate(ShiftLeft, Address, CanonicalShift);
        _e.ShiftImmediate(ShiftArithmetic, Address, CanonicalShift);
        _e.Op(0x3B, Address, Scratch);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);
    }

    private bool IsSamePage(int delta) => (int)((ulong)_block->Host & 4095) + (long)delta is >= 0 and < 4096;

    private void CountInstructions() => _e.AluImmediate(Add, HostMemory.State(StateOffset.Retired), _block->Count);

    private void GoToScratch()
    {
        _e.Store(HostMemory.State(StateOffset.Rip), Scratch);
        CountInstructions();
        _e.JumpTo(_routines.Dispatch);
    }

    /// <summary>
    /// To the block <paramref name="delta"/> bytes from this one's start: directly when it is in the same page. The same page was found under the same tag and mode,
    /// so what may have changed is only what the entry checks look at.
    /// </summary>
    private void GoOn(bool taken, int delta)
    {
        CountInstructions();
        _e.AluImmediate(Add, HostMemory.State(StateOffset.Rip), delta);
        if (!IsSamePage(delta))
        {
            _e.JumpTo(_routines.Dispatch);
            return;
        }

        ulong link = (ulong)(taken ? &_block->Taken : &_block->Next);
        _e.AluImmediate(Compare, HostMemory.State(StateOffset.Requests), 0);
        _e.JumpIfTo(HostCondition.NotEqual, _routines.Leave);
        if (delta == 0)
        {
            // To its own start: no link is needed.
            _e.MoveImmediate(Address, (ulong)_block);
            foreach (int stale in HostRoutines.EmitBytesCheck(_e))
            {
                _e.ForwardTo(stale, _routines.Leave);
            }

            _e.JumpBack(0);
            return;
        }

        _e.MoveImmediate(Scratch, link);
        _e.Load(Address, new HostMemory(Scratch));
        _e.Op(0x85, Address, Address);
        int unlinked = _e.JumpIf(HostCondition.Equal);
        HostRoutines.EmitEntryChecks(_e, out int[] fails);
        _e.JumpRegister(Scratch);
        _e.Patch(unlinked);
        foreach (int fail in fails)
        {
            _e.Patch(fail);
        }

        _e.MoveImmediate(Scratch, link);
        _e.Store(HostMemory.State(StateOffset.LinkFrom), Scratch);
        _e.JumpTo(_routines.Leave);
    }
}
