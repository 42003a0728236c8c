using Akvam.Cpu.State;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Add = 0, Subtract = 5, ShiftLeft = 4, ShiftArithmetic = 7, CanonicalShift = 16;

    private (int Jump, int Resume) _deep;

    /// <summary>How far the guest's stack pointer is from what its host register has: pushes and pops that cannot leave the block move it together.</summary>
    private int _moved;

    /// <summary>After <see cref="LookUp"/> of the stack.</summary>
    private HostMemory Stack(int disp) => _code64 ? new(Address, HostRegister.GuestRsp, 0, _moved + disp) : new(Address);

    /// <summary>Bytes relative to the guest's stack pointer, as it is in its host register.</summary>
    private GuestAddress OnStack(int disp) => GuestAddress.OnStack(Gpr.Rsp, disp, _block->Mode);

    private void MoveStackPointer(int bytes = 0)
    {
        if (_moved + bytes != 0)
        {
            SetStackPointer(HostRegister.GuestRsp, _moved + bytes);
        }

        _moved = 0;
    }

    /// <summary>From a register, in its own width: 16 bits keep the others, 32 clear the upper half. Changes no flag.</summary>
    private void SetStackPointer(int from, int bytes)
    {
        if (!_code64 && (_block->Mode & ModeKey.Stack32) == 0)
        {
            _e.U8(0x66);
        }

        _e.Op(0x8D, HostRegister.GuestRsp, new HostMemory(from, bytes), wide: _code64);
    }

    /// <summary>Bytes that a branch, a push or a pop has on the stack.</summary>
    private int StackSize(int n) => _code64 ? 8 : _guest[n].Code is Code.Push_r16 or Code.Push_rm16 or Code.Pushw_imm8 or Code.Push_imm16 or Code.Pop_r16 or Code.Leavew
        or Code.Call_rel16 or Code.Call_rm16 or Code.Jmp_rm16 or Code.Retnw or Code.Retnw_imm16 ? 2 : 4;

    /// <summary>An instruction that does without the stack pointer, or knows where it is, and cannot leave the block meanwhile.</summary>
    private bool KeepsStackPointer(int n)
    {
        switch (_forms[n])
        {
            case Coverage.Form.Nothing:
                return true;
            case Coverage.Form.Call or Coverage.Form.Return:
                return IsFound(n);
            case Coverage.Form.Push or Coverage.Form.Pop:
                return IsFound(n) && (_guest[n].Op0Kind != OpKind.Register || Guest(_guest[n], 0) != Gpr.Rsp);
            case Coverage.Form.Plain when !Accesses(n):
                foreach (UsedRegister used in _info.GetInfo(_guest[n]).GetUsedRegisters())
                {
                    if (used.Register.GetFullRegister() == Iced.Intel.Register.RSP)
                    {
                        return false;
                    }
                }

                return true;
            default:
                return false;
        }
    }

    private void EmitPush(int n)
    {
        int size = StackSize(n);
        BeforeAccess(n);
        LookUp(n, OnStack(-size), size, write: true);
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            _e.StoreSized(Stack(-size), LoadGuest(Guest(_guest[n], 0), Scratch), size);
        }
        else
        {
            _e.SizedOp(0xC6, size, 0, Stack(-size));
            _e.ImmediateOf(size, (int)Insn(n)->Imm);
        }

        if (IsFound(n))
        {
            _moved -= size;
            return;
        }

        MoveStackPointer(-size);
        ResumeHere(n);
    }

    /// <summary>Both accesses are made, or the interpreter begins again.</summary>
    private void EmitPushMemory(int n)
    {
        int size = StackSize(n);
        ForgetHostFlags();
        GuestAddress address = AddressOf(n);
        LookUp(n, address, size, write: false);
        _e.LoadSized(Scratch, Operand(address), size);
        _e.Store(HostMemory.State(StateOffset.Saved), Scratch);
        LookUp(n, OnStack(-size), size, write: true);
        _e.Load(Scratch, HostMemory.State(StateOffset.Saved));
        _e.StoreSized(Stack(-size), Scratch, size);
        MoveStackPointer(-size);
        ResumeHere(n);
    }

    private void EmitPop(int n)
    {
        int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest), size = StackSize(n);
        BeforeAccess(n);
        LookUp(n, OnStack(0), size, write: false);
        if (size == 2)
        {
            // The rest of the register stays; one that is the stack pointer has been moved before. [APM3 POP]
            _e.LoadSized(Scratch, Stack(0), size);
            MoveStackPointer(size);
            _e.SizedOp(0x88, size, Scratch, host);
            ResumeHere(n);
            return;
        }

        _e.Op(0x8B, host < 0 ? Scratch : host, Stack(0), wide: size == 8);
        if (IsFound(n) && guest != Gpr.Rsp)
        {
            _moved += size;
            StoreGuest(guest, Scratch);
            return;
        }

        if (guest != Gpr.Rsp)
        {
            MoveStackPointer(size);
            StoreGuest(guest, Scratch);
        }

        ResumeHere(n);
    }

    private void EmitLeave(int n)
    {
        int size = StackSize(n);
        ForgetHostFlags();
        LookUp(n, GuestAddress.OnStack(Gpr.Rbp, 0, _block->Mode), size, write: false);
        SetStackPointer(HostRegister.Rbp, size);
        HostMemory operand = _code64 ? new HostMemory(Address, HostRegister.Rbp, 0, 0) : new HostMemory(Address);
        if (size == 2)
        {
            _e.U8(0x66);
        }

        _e.Op(0x8B, HostRegister.Rbp, operand, wide: size == 8);
        ResumeHere(n);
    }

    private void EmitBranch(int n)
    {
        ulong target = Target(n), next = Next;
        if (_forms[n] == Coverage.Form.JumpIf)
        {
            NeedHostFlags(_guest[n].RflagsRead & FlagUse.All);
            int condition = Condition(n);
            if (!TryLoop(condition))
            {
                SaveFlags();
                JumpIfToEdge(condition, target);
            }

            JumpToEdge(next);
            return;
        }

        ForgetHostFlags();
        switch (_forms[n])
        {
            case Coverage.Form.Jump:
                JumpToEdge(target);
                break;
            case Coverage.Form.Call:
                next = Cut(next, StackSize(n));
                PushReturnAddress(n, next);
                CallEdge(target);
                ContinueAt(next);
                break;
            case Coverage.Form.JumpIndirect:
                int register = LoadTarget(n);
                CheckLimit(n);
                int unknown = HostRoutines.EmitFind(_e, register);
                _e.Patch(unknown);
                CheckCanonical(n, register);
                _e.JumpTo(_routines.LeaveTo);
                break;
            case Coverage.Form.CallIndirect:
                EmitCallIndirect(n, Cut(next, StackSize(n)));
                break;
            case Coverage.Form.SystemCall:
                EmitSystemCall(n, next);
                break;
            case Coverage.Form.SystemReturn:
                EmitSystemReturn(n);
                break;
            default:
                EmitReturn(n, (ushort)Insn(n)->Imm);
                break;
        }
    }

    /// <summary>
    /// What is in the table is canonical. The host decides late whether it foresaw the right target: what is called stays in the address register, if the return address
    /// needs no other.
    /// </summary>
    private void EmitCallIndirect(int n, ulong next)
    {
        bool kept = IsImmediate(next) && _groupOf[n] < 0 && _code64;
        int register = LoadTarget(n);
        CheckLimit(n);
        int unknown = HostRoutines.EmitSearch(_e, register);
        _e.Load(Address, HostRoutines.FoundCode);
        int found = _e.Position;
        if (kept)
        {
            LookUpKeeping(n, OnStack(-8), 8, write: true);
            StoreReturnAddress(n, Scratch, next);
            _e.CallRegister(Address);
        }
        else
        {
            _e.Store(HostMemory.State(StateOffset.JumpTarget), Address);
            PushReturnAddress(n, next);
            _e.CallIndirect(HostMemory.State(StateOffset.JumpTarget));
        }

        ContinueAt(next);
        _e.Patch(unknown);
        CheckCanonical(n, register);
        _e.Store(HostMemory.State(StateOffset.Saved), Scratch);
        _e.MoveImmediate(Address, (ulong)_routines.LeaveToSaved);
        _e.JumpBack(found);
    }

    private static bool IsImmediate(ulong value) => (long)value == (int)value;

    /// <summary>Where the last CALL expects it, by the host's own return; elsewhere as any indirect jump.</summary>
    private void EmitReturn(int n, int released)
    {
        int size = StackSize(n), bytes = size + released;
        LookUp(n, OnStack(0), size, write: false);
        _e.LoadSized(Scratch, Stack(0), size);
        _e.Op(0x3B, Scratch, new HostMemory(HostRegister.Rsp, 8));
        int elsewhere = _e.JumpIf(HostCondition.NotEqual);
        int moved = _moved;
        MoveStackPointer(bytes);
        _e.Return();
        _e.Patch(elsewhere);
        MoveStackPointer(moved);
        CheckLimit(n);
        CheckCanonical(n);
        MoveStackPointer(bytes);
        _e.JumpTo(_routines.Dispatch);
    }

    /// <summary>The register that has the target of an indirect branch: the guest's own, or the scratch register.</summary>
    private int LoadTarget(int n)
    {
        int size = StackSize(n);
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            int guest = Guest(_guest[n], 0);
            if (_code64)
            {
                return LoadGuest(guest, Scratch);
            }

            // MOV, or MOVZX of 16 bits.
            _e.Op(size == 2 ? 0x0FB7 : 0x8B, Scratch, HostRegister.Of(guest), wide: false);
            return Scratch;
        }

        GuestAddress address = AddressOf(n);
        LookUp(n, address, size, write: false);
        _e.LoadSized(Scratch, Operand(address), size);
        return Scratch;
    }

    /// <summary>Outside 64-bit code: the target in the scratch register may lie beyond CS.</summary>
    private void CheckLimit(int n)
    {
        if (_block->Page->CodeLimit != uint.MaxValue)
        {
            _e.Op(0x3B, Scratch, HostMemory.State(SystemOffset.Cs + SystemOffset.SegmentLimit), wide: false);
            Slow(_e.JumpIf(HostCondition.Above), n);
        }
    }

    /// <summary>To the guest's stack, and with what follows as its continuation to the host's.</summary>
    private void PushReturnAddress(int n, ulong next)
    {
        int size = StackSize(n);
        LookUp(n, OnStack(-size), size, write: true);
        StoreReturnAddress(n, Address, next);
    }

    /// <summary>By the addend of the guest's stack in a register. Changes the scratch register, if the return address is no immediate.</summary>
    private void StoreReturnAddress(int n, int addend, ulong next)
    {
        if (_code64)
        {
            _e.Store64(Stack(-8) with { Base = addend }, next, Scratch);
        }
        else
        {
            _e.SizedOp(0xC6, StackSize(n), 0, Stack(0));
            _e.ImmediateOf(StackSize(n), (int)next);
            if (!IsImmediate(next))
            {
                _e.MoveImmediate(Scratch, next);
            }
        }

        MoveStackPointer(-StackSize(n));
        _e.Op(0x3B, HostRegister.Rsp, HostMemory.State(StateOffset.StackLimit));
        int deep = _e.JumpIf(HostCondition.Below);
        _deep = (deep, _e.Position);
        if (IsImmediate(next))
        {
            _e.PushImmediate((int)next);
        }
        else
        {
            _e.Push(Scratch);
        }
    }

    /// <summary>Behind a host CALL: execution comes here by RET. The page is still what it was: whatever changes that makes host code forget the returns it expects.</summary>
    private void ContinueAt(ulong next)
    {
        _e.Pop(Scratch);
        JumpToEdge(next);

        // Too many returns are expected: the oldest will not be missed, but only all can go.
        _e.Patch(_deep.Jump);
        _e.Load(HostRegister.Rsp, HostMemory.State(StateOffset.StackBase));
        _e.JumpBack(_deep.Resume);
    }

    /// <summary>In 64-bit code: canonical in 48 bits; the interpreter decides about others. The address is in the scratch register then.</summary>
    private void CheckCanonical(int n, int register = Scratch)
    {
        if (!_code64)
        {
            return;
        }

        if (register != Scratch)
        {
            _e.Move(Scratch, register);
        }

        _e.Move(Address, Scratch);
        _e.ShiftImmediate(ShiftLeft, Address, CanonicalShift);
        _e.ShiftImmediate(ShiftArithmetic, Address, CanonicalShift);
        _e.Op(0x3B, Address, Scratch);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);
    }
}
