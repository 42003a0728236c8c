using Akvam.Cpu.Interpreter;
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

    private HostMemory Stack(int disp) => new(Address, HostRegister.GuestRsp, 0, _moved + disp);

    private void MoveStackPointer(int bytes = 0)
    {
        if (_moved + bytes != 0)
        {
            _e.Lea(HostRegister.GuestRsp, new HostMemory(HostRegister.GuestRsp, _moved + bytes));
        }

        _moved = 0;
    }

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
        BeforeAccess(n);
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

        if (IsFound(n))
        {
            _moved -= 8;
            return;
        }

        MoveStackPointer(-8);
        ResumeHere(n);
    }

    private void EmitPop(int n)
    {
        int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
        BeforeAccess(n);
        LookUp(n, GuestAddress.At(Gpr.Rsp, 0), 8, write: false);
        _e.Load(host < 0 ? Scratch : host, Stack(0));
        if (IsFound(n) && guest != Gpr.Rsp)
        {
            _moved += 8;
            StoreGuest(guest, Scratch);
            return;
        }

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
        ulong target = _block->Rip + i->Imm, next = _block->Rip + _block->Bytes;
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
                PushReturnAddress(n, next);
                CallEdge(target);
                ContinueAt(next);
                break;
            case Coverage.Form.JumpIndirect:
                int register = LoadTarget(n);
                int unknown = HostRoutines.EmitFind(_e, register);
                _e.Patch(unknown);
                CheckCanonical(n, register);
                _e.JumpTo(_routines.LeaveTo);
                break;
            case Coverage.Form.CallIndirect:
                EmitCallIndirect(n, next);
                break;
            case Coverage.Form.SystemCall:
                EmitSystemCall(n, next);
                break;
            case Coverage.Form.SystemReturn:
                EmitSystemReturn(n);
                break;
            default:
                EmitReturn(n, 8 + (ushort)i->Imm);
                break;
        }
    }

    /// <summary>
    /// What is in the table is canonical. The host decides late whether it foresaw the right target: what is called stays in the address register, if the return address
    /// needs no other.
    /// </summary>
    private void EmitCallIndirect(int n, ulong next)
    {
        bool kept = IsImmediate(next) && _groupOf[n] < 0;
        int register = LoadTarget(n);
        int unknown = HostRoutines.EmitSearch(_e, register);
        _e.Load(Address, HostRoutines.FoundCode);
        int found = _e.Position;
        if (kept)
        {
            LookUpKeeping(n, GuestAddress.At(Gpr.Rsp, -8), 8, write: true);
            StoreReturnAddress(Scratch, next);
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
    private void EmitReturn(int n, int bytes)
    {
        LookUp(n, GuestAddress.At(Gpr.Rsp, 0), 8, write: false);
        _e.Load(Scratch, Stack(0));
        _e.Op(0x3B, Scratch, new HostMemory(HostRegister.Rsp, 8));
        int elsewhere = _e.JumpIf(HostCondition.NotEqual);
        int moved = _moved;
        MoveStackPointer(bytes);
        _e.Return();
        _e.Patch(elsewhere);
        MoveStackPointer(moved);
        CheckCanonical(n);
        MoveStackPointer(bytes);
        _e.JumpTo(_routines.Dispatch);
    }

    /// <summary>The register that has the target of an indirect branch: the guest's own, or the scratch register.</summary>
    private int LoadTarget(int n)
    {
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            return LoadGuest(Guest(_guest[n], 0), Scratch);
        }

        GuestAddress address = GuestAddress.Of(Insn(n));
        LookUp(n, address, 8, write: false);
        _e.Load(Scratch, Operand(address));
        return Scratch;
    }

    /// <summary>To the guest's stack, and with what follows as its continuation to the host's.</summary>
    private void PushReturnAddress(int n, ulong next)
    {
        LookUp(n, GuestAddress.At(Gpr.Rsp, -8), 8, write: true);
        StoreReturnAddress(Address, next);
    }

    /// <summary>By the addend of the guest's stack in a register. Changes the scratch register, if the return address is no immediate.</summary>
    private void StoreReturnAddress(int addend, ulong next)
    {
        HostMemory top = Stack(-8) with { Base = addend };
        _e.Store64(top, next, Scratch);
        MoveStackPointer(-8);
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

    /// <summary>Canonical in 48 bits; the interpreter decides about others. The address is in the scratch register then.</summary>
    private void CheckCanonical(int n, int register = Scratch)
    {
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
