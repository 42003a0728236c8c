using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>The pieces of host code that all blocks share, at the start of the code memory: entering, leaving, calling the interpreter, finding the next block, flags.</summary>
/// <remarks>
/// Valid while the code memory is. On the host's stack lie, above each other, the return addresses that RET of the guest is expected to go to: a pair of guest address and
/// host continuation for each CALL, so that the host's own prediction of returns works for the guest's. Leaving drops them all.
/// </remarks>
internal sealed unsafe class HostRoutines : IDisposable
{
    /// <summary>Pairs that may lie on the stack.</summary>
    private const int Depth = 2048;
    private const int FlowEnd = (int)Flow.End, FlowAbort = (int)Flow.Abort;
    private static readonly int[] s_calleeSaved = [3, 5, 12, 13, 14, 15];
    private readonly nint[] _fillWindow = new nint[2 * TlbWindow.Levels];
    private readonly nint _storeX87;
    private readonly nint* _recipes = (nint*)NativeMemory.AllocZeroed((nuint)Recipe.Count, (nuint)sizeof(nint));

    public HostRoutines(Emitter e, nint origin, nint interpret, nint probe, nint verify)
    {
        e.Start(origin);
        EmitJudgeWindow(e);
        for (int n = 0; n < _fillWindow.Length; n++)
        {
            _fillWindow[n] = Here(e);
            new WindowRoutine(e, n >> 1, (n & 1) != 0).Emit();
        }

        EmitRecipes(e);
        EmitSaveFlags(e);
        StoreVectors = Copy(e, VectorRoutines.Store());
        LoadVectors = Copy(e, VectorRoutines.Load());
        _storeX87 = Copy(e, X87Routines.Store());
        LoadX87 = Copy(e, X87Routines.Load());
        EmitLoadFloat(e);
        EmitLeave(e);
        EmitDispatch(e);
        EmitInterpret(e, interpret);
        Probe = EmitQuestion(e, probe);
        Verify = EmitQuestion(e, verify);
        EmitEnter(e);
    }

    /// <summary><c>Flow enter(CpuState*, void* hostCode)</c> in the host's C convention.</summary>
    public nint Enter { get; private set; }

    /// <summary>Jumped to between two blocks, RIP in the state: returns <see cref="Flow.End"/> from <see cref="Enter"/>.</summary>
    public nint Leave { get; private set; }

    /// <summary>As <see cref="Leave"/>, with an <see cref="Edge"/> in the scratch register, whose target becomes RIP.</summary>
    public nint LeaveByEdge { get; private set; }

    /// <summary>As <see cref="Leave"/>, with RIP in the scratch register.</summary>
    public nint LeaveTo { get; private set; }

    /// <summary>As <see cref="Leave"/>, with RIP in <see cref="CpuState.Saved"/>.</summary>
    public nint LeaveToSaved { get; private set; }

    /// <summary>Jumped to or called with the guest address of the next block in the scratch register, flags in the state: goes on there.</summary>
    public nint Dispatch { get; private set; }

    /// <summary>As <see cref="Dispatch"/>, jumped to when pages that were checked may not be what they were: no return is expected any more.</summary>
    public nint DispatchElsewhere { get; private set; }

    /// <summary>
    /// Called with a <see cref="CodeRecord"/> in the scratch register and the number of an instruction in the address register, flags in the state: has it interpreted. Returns when it
    /// completed and the block goes on; otherwise it does not return.
    /// </summary>
    public nint Interpret { get; private set; }

    /// <summary>
    /// Called with a linear address in the scratch register and a span and kind in the address register: tries to have the TLB filled. "Not equal": it was. The vector
    /// registers are not held afterwards.
    /// </summary>
    public nint Probe { get; }

    /// <summary>
    /// Called with the <see cref="CodeRecord"/> of a block in the scratch register, flags in the state, where it is about to be entered: has its page verified. "Not equal": it is good. The vector registers
    /// are not held afterwards.
    /// </summary>
    public nint Verify { get; }

    /// <summary>Called: flags from the state to RFLAGS, whatever the recipe. Changes the scratch register only.</summary>
    public nint RestoreFlags { get; private set; }

    /// <summary>Called between two guest instructions, when the vector registers are not held: loads them. Changes flags, scratch and address register.</summary>
    public nint LoadVectors { get; }

    /// <summary>
    /// Called at the start of a block, when registers and MXCSR are not both held: loads them, and returns with "equal"; or with "not equal" when the guest unmasks an
    /// exception, so that the interpreter has to execute the block.
    /// </summary>
    public nint LoadFloat { get; private set; }

    /// <summary>
    /// Called between two guest instructions, when the x87 unit is not held: loads it, and returns with "equal"; or with "not equal" when the guest unmasks an exception
    /// or one is pending, so that the interpreter has to execute the block. Changes flags, scratch and address register.
    /// </summary>
    public nint LoadX87 { get; }

    private nint StoreVectors { get; }

    private nint SaveFlags { get; set; }

    private nint LeaveStored { get; set; }

    private nint UnexpectedReturn { get; set; }

    /// <summary>Called after a search of the TLB: see <see cref="WindowRoutine"/>.</summary>
    public nint FillWindow(int level, bool write) => _fillWindow[(2 * level) + (write ? 1 : 0)];

    /// <summary>
    /// Called with a <see cref="TlbWindow"/> in the address register that has missed often: "equal" when that was within so few instructions that its place does better
    /// without. Counts anew. Changes the scratch register.
    /// </summary>
    public nint JudgeWindow { get; private set; }

    private void EmitJudgeWindow(Emitter e)
    {
        const int s = HostRegister.Scratch, window = HostRegister.Address;
        JudgeWindow = Here(e);
        e.Load32(s, new HostMemory(window, TlbWindow.LeftThenAt));
        e.Op(0x2B, s, HostRegister.Left, wide: false);
        e.Op(0x89, HostRegister.Left, new HostMemory(window, TlbWindow.LeftThenAt), wide: false);
        e.Store32(new HostMemory(window, TlbWindow.MissesAt), TlbWindow.MissesAllowed);

        // SBB makes -1 of "below".
        e.AluImmediate(7, s, TlbWindow.Instructions, wide: false);
        e.Op(0x1B, s, s, wide: false);
        e.AluImmediate(7, s, -1, wide: false);
        e.Return();
    }

    private static nint Here(Emitter e) => e.Origin + e.Position;

    private static nint Copy(Emitter e, byte[] routine)
    {
        nint at = e.Origin + e.Position;
        e.Copy(routine);
        return at;
    }

    private void EmitStoreUnits(Emitter e)
    {
        // Two fields of four bytes in one comparison.
        e.AluImmediate(7, HostMemory.State(StateOffset.VectorsHeld), 0);
        int none = e.JumpIf(HostCondition.Equal);
        EmitStoreUnit(e, StateOffset.VectorsHeld, StoreVectors);
        EmitStoreUnit(e, StateOffset.X87Held, _storeX87);
        e.Patch(none);
    }

    private static void EmitStoreUnit(Emitter e, int held, nint routine)
    {
        e.AluImmediate(7, HostMemory.State(held), 0, wide: false);
        int none = e.JumpIf(HostCondition.Equal);
        e.CallTo(routine);
        e.Patch(none);
    }

    private void EmitLoadFloat(Emitter e)
    {
        LoadFloat = e.Origin + e.Position;
        e.Op(0x83, 7, HostMemory.State(StateOffset.VectorsHeld), wide: false);
        e.U8(0);
        int held = e.JumpIf(HostCondition.NotEqual);
        e.CallTo(LoadVectors);
        e.Patch(held);
        e.Op(0x83, 7, HostMemory.State(StateOffset.VectorsHeld), wide: false);
        e.U8(VectorRoutines.RegistersAndMxcsr);
        int masked = e.JumpIf(HostCondition.Equal);
        e.Store32(HostMemory.State(StateOffset.LeaveToInterpreter), 1);
        e.Patch(masked);
        e.Return();
    }

    private static void StorePinned(Emitter e)
    {
        for (int n = 0; n < HostRegister.Pinned; n++)
        {
            e.Store(HostMemory.State(n * 8), HostRegister.Of(n));
        }

        e.Store(HostMemory.State(StateOffset.Left), HostRegister.Left);
    }

    private static void LoadPinned(Emitter e)
    {
        for (int n = 0; n < HostRegister.Pinned; n++)
        {
            e.Load(HostRegister.Of(n), HostMemory.State(n * 8));
        }

        e.Load(HostRegister.Left, HostMemory.State(StateOffset.Left));
    }

    private void EmitRecipes(Emitter e)
    {
        for (int n = 0; n < (int)Recipe.Count; n++)
        {
            _recipes[n] = Here(e);
            Recipes.Emit(e, n is < (int)Recipe.Add or >= (int)Recipe.Loop ? Recipe.Image : (Recipe)n);
            e.Return();
        }

        RestoreFlags = Here(e);
        e.Load32(HostRegister.Scratch, HostMemory.State(StateOffset.FlagRecipe));
        e.ShiftImmediate(4, HostRegister.Scratch, 3);
        e.Store(HostMemory.State(StateOffset.Saved), HostRegister.Rax);
        e.MoveImmediate(HostRegister.Rax, (ulong)_recipes);
        e.Op(0x03, HostRegister.Scratch, HostRegister.Rax);
        e.Load(HostRegister.Rax, HostMemory.State(StateOffset.Saved));
        e.JumpIndirect(new HostMemory(HostRegister.Scratch));
    }

    /// <summary>Called with the pinned registers in the state: makes the flags an image. Changes RAX and the scratch register.</summary>
    private void EmitSaveFlags(Emitter e)
    {
        SaveFlags = Here(e);
        e.AluImmediate(7, HostMemory.State(StateOffset.FlagRecipe), (int)Recipe.Image, wide: false);
        int done = e.JumpIf(HostCondition.Equal);
        e.CallTo(RestoreFlags);
        e.U8(0x9F);
        e.Op(0x0F90, 0, HostRegister.Rax, wide: false);
        e.U8(0x66);
        e.Op(0x89, HostRegister.Rax, HostMemory.State(StateOffset.HostFlags), wide: false);
        e.Store32(HostMemory.State(StateOffset.FlagRecipe), (int)Recipe.Image);
        e.Patch(done);
        e.Return();
    }

    private void EmitLeave(Emitter e)
    {
        // The pinned registers are in the state already, the flow is in EAX.
        LeaveStored = Here(e);
        e.Load(HostRegister.Rsp, HostMemory.State(StateOffset.StackBase));
        e.AluImmediate(0, HostRegister.Rsp, 24);
        for (int n = s_calleeSaved.Length - 1; n >= 0; n--)
        {
            e.Pop(s_calleeSaved[n]);
        }

        e.Return();

        LeaveByEdge = Here(e);
        e.Store(HostMemory.State(StateOffset.LinkFrom), HostRegister.Scratch);
        e.Load(HostRegister.Scratch, new HostMemory(HostRegister.Scratch, StateOffset.EdgeTarget));
        int to = e.Jump();
        LeaveToSaved = Here(e);
        e.Load(HostRegister.Scratch, HostMemory.State(StateOffset.Saved));
        e.Patch(to);
        LeaveTo = Here(e);
        e.Store(HostMemory.State(StateOffset.Rip), HostRegister.Scratch);
        Leave = Here(e);
        StorePinned(e);
        EmitStoreUnits(e);
        e.CallTo(SaveFlags);
        e.U8(0xB8);
        e.U32(FlowEnd);
        e.JumpTo(LeaveStored);
    }

    private void EmitDispatch(Emitter e)
    {
        DispatchElsewhere = Here(e);
        e.Load(HostRegister.Rsp, HostMemory.State(StateOffset.StackBase));
        Dispatch = Here(e);
        int miss = EmitFind(e);
        e.Patch(miss);
        e.JumpTo(LeaveTo);
    }

    /// <summary>Looks the guest address in a register up, and goes on there. The jump that is returned is taken when it is not in the table.</summary>
    public static int EmitFind(Emitter e, int target = HostRegister.Scratch)
    {
        int miss = EmitSearch(e, target);
        e.JumpIndirect(FoundCode);
        return miss;
    }

    /// <summary>After <see cref="EmitSearch"/>: where the code that was found is kept.</summary>
    public static HostMemory FoundCode => new(HostRegister.State, HostRegister.Address, 3, JumpTable.CodesAt);

    /// <summary>Looks the guest address in a register up; the jump that is returned is taken when it is not in the table.</summary>
    public static int EmitSearch(Emitter e, int target)
    {
        const int index = HostRegister.Address;
        e.ShiftRightInto(index, target, JumpTable.HashShift);
        e.Op(0x33, index, target, wide: false);
        e.AluImmediate(4, index, JumpTable.Mask, wide: false);
        e.Op(0x3B, target, new HostMemory(HostRegister.State, index, 3, JumpTable.TargetsAt));
        return e.JumpIf(HostCondition.NotEqual);
    }

    private void EmitEnter(Emitter e)
    {
        // A RET whose pair is not there any more comes here by its host continuation, if it happens to go to address 0.
        UnexpectedReturn = Here(e);
        e.AluImmediate(5, HostRegister.Rsp, 8);
        e.JumpTo(Dispatch);

        Enter = Here(e);
        foreach (int register in s_calleeSaved)
        {
            e.Push(register);
        }

        // Six registers and the return address: with 8 bytes more the stack is aligned to 16. Then the pair at the bottom.
        e.Move(HostRegister.State, HostRegister.Rdi);
        e.Move(HostRegister.Address, HostRegister.Rsi);
        e.MoveImmediate(HostRegister.Scratch, 0);
        e.Push(HostRegister.Scratch);
        e.Push(HostRegister.Scratch);
        e.MoveImmediate(HostRegister.Scratch, (ulong)UnexpectedReturn);
        e.Push(HostRegister.Scratch);
        e.Store(HostMemory.State(StateOffset.StackBase), HostRegister.Rsp);
        e.Lea(HostRegister.Scratch, new HostMemory(HostRegister.Rsp, -16 * Depth));
        e.Store(HostMemory.State(StateOffset.StackLimit), HostRegister.Scratch);
        LoadPinned(e);
        e.JumpRegister(HostRegister.Address);
    }

    private void EmitInterpret(Emitter e, nint interpret)
    {
        Interpret = Here(e);
        StorePinned(e);
        EmitStoreUnits(e);
        e.Move(HostRegister.Rsi, HostRegister.Scratch);
        e.Op(0x8B, HostRegister.Rdx, HostRegister.Address, wide: false);
        e.Move(HostRegister.Rdi, HostRegister.State);
        e.AluImmediate(5, HostRegister.Rsp, 8);
        e.CallTo(SaveFlags);
        e.MoveImmediate(HostRegister.Rax, (ulong)interpret);
        e.Op(0xFF, 2, HostRegister.Rax, wide: false);
        e.AluImmediate(0, HostRegister.Rsp, 8);
        e.Op(0x85, HostRegister.Rax, HostRegister.Rax, wide: false);
        int left = e.JumpIf(HostCondition.NotEqual);
        e.AluImmediate(7, HostMemory.State(StateOffset.ForgetReturns), 0, wide: false);
        int forget = e.JumpIf(HostCondition.NotEqual);
        int back = e.Position;
        LoadPinned(e);
        e.Return();

        e.Patch(forget);
        e.Store32(HostMemory.State(StateOffset.ForgetReturns), 0);
        e.Pop(HostRegister.Scratch);
        e.Load(HostRegister.Rsp, HostMemory.State(StateOffset.StackBase));
        e.Push(HostRegister.Scratch);
        e.JumpBack(back);

        // The block is left: the return address goes with the returns that are expected.
        e.Patch(left);
        e.AluImmediate(7, HostRegister.Rax, FlowAbort, wide: false);
        e.JumpIfTo(HostCondition.Equal, LeaveStored);
        LoadPinned(e);
        e.Load(HostRegister.Scratch, HostMemory.State(StateOffset.Rip));
        e.JumpTo(DispatchElsewhere);
    }

    /// <summary>A call of C# with what is in the scratch and the address register, which answers yes or no.</summary>
    private nint EmitQuestion(Emitter e, nint answer)
    {
        nint question = Here(e);
        StorePinned(e);
        EmitStoreUnits(e);
        e.Move(HostRegister.Rsi, HostRegister.Scratch);
        e.Op(0x8B, HostRegister.Rdx, HostRegister.Address, wide: false);
        e.Move(HostRegister.Rdi, HostRegister.State);
        e.AluImmediate(5, HostRegister.Rsp, 8);
        e.MoveImmediate(HostRegister.Rax, (ulong)answer);
        e.Op(0xFF, 2, HostRegister.Rax, wide: false);
        e.AluImmediate(0, HostRegister.Rsp, 8);
        e.Op(0x85, HostRegister.Rax, HostRegister.Rax, wide: false);
        LoadPinned(e);
        e.Return();
        return question;
    }

    public void Dispose() => NativeMemory.Free(_recipes);
}
