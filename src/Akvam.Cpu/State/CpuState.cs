using System.Runtime.InteropServices;

namespace Akvam.Cpu.State;

/// <summary>
/// The architectural and working state of one virtual processor.
/// </summary>
/// <remarks>
/// Valid because it lives in native memory for the life of its <see cref="Processor"/>, is never moved or copied, and is written by the
/// thread that runs the processor only (other threads touch nothing but <see cref="Requests"/>). The first 256 bytes are the register
/// file: operands of an <see cref="Interpreter.Insn"/> are byte offsets into it. The data TLB follows the struct at <see cref="DtlbOffset"/>.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct CpuState
{
    /// <summary>RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15.</summary>
    public fixed ulong Gpr[16];

    /// <summary>Always zero: the "no base" and "no index" register of an address.</summary>
    public ulong Zero;

    /// <summary>
    /// While a block runs: RIP of the block's first instruction (instructions know their offset from it). Otherwise: RIP of the next instruction.
    /// </summary>
    public ulong Rip;

    /// <summary>Result of the last flag-setting operation, sign-extended to 64 bits (see <see cref="Flags.LazyFlags"/>).</summary>
    public ulong FlagResult;

    /// <summary>Carries of the last flag-setting operation (see <see cref="Flags.LazyFlags"/>).</summary>
    public ulong FlagAux;

    /// <summary>All RFLAGS bits that are not lazy: everything but CF, PF, AF, ZF, SF and OF. Bit 1 is always set.</summary>
    public ulong SystemFlags;

    private fixed ulong _reserved[11];

    /// <summary>YMM0 … YMM15, 32 bytes each; the low half is XMMn. At offset 256.</summary>
    public fixed byte Vector[16 * 32];

    /// <summary>FXSAVE image of which only the x87 part (bytes 0-23 and 32-159) is used; MXCSR and XMM live elsewhere. At offset 768.</summary>
    public fixed byte Fx[512];

    /// <summary>Memory operand of an instruction that a stub of host code executes. At offset 1280, which is <see cref="ScratchOffset"/>.</summary>
    public fixed byte Scratch[64];

    /// <summary>Segment selectors of the last x87 instruction and its operand; the offsets, 64 bits wide, are in <see cref="Fx"/>.</summary>
    public ushort Fcs, Fds;

    public uint Mxcsr;
    public uint Pkru;
    public ulong Xcr0;
    public ulong Xss;

    public SegmentRegister Es, Cs, Ss, Ds, Fs, Gs, Ldtr, Tr;
    public ulong GdtBase, IdtBase;
    public ushort GdtLimit, IdtLimit;

    /// <summary>Current privilege level. Kept apart from SS.DPL and CS.RPL, as AMD processors keep it. [APM2 15.5.1]</summary>
    public byte Cpl;

    public ulong Cr0, Cr2, Cr3, Cr4, Efer;
    public fixed ulong Dr[4];
    public ulong Dr6, Dr7;

    /// <summary>PDPTEs loaded by the last CR3 write in PAE mode. [SDM3 4.4.1]</summary>
    public fixed ulong Pdpte[4];

    public ulong Star, Lstar, Cstar, Sfmask, KernelGsBase, TscAux;
    public ulong SysenterCs, SysenterEsp, SysenterEip;
    public ulong Pat, Smbase, SmiCount, TscOffset;

    // ---- derived state, recomputed by Processor.UpdateMode when what it derives from changes ----

    /// <summary>Everything a decoded block depends on: bitness, privilege, FPU availability (see <see cref="ModeKey"/>).</summary>
    public ModeKey Mode;

    /// <summary>CS base, or 0 in 64-bit mode, which ignores it.</summary>
    public ulong CodeBase;

    /// <summary>CS limit, or FFFFFFFF in 64-bit mode, which ignores it.</summary>
    public uint CodeLimit;

    /// <summary>Outside 64-bit mode: the end of what may be read through ES, CS, SS, DS, FS and GS, and of what may be written (see <see cref="Memory.SegmentEnds"/>).</summary>
    public fixed ulong ReadEnds[6];
    public fixed ulong WriteEnds[6];

    /// <summary>FFFF, FFFFFFFF or all ones: the mask of stack addresses.</summary>
    public ulong StackMask;

    /// <summary>FFFFFFFF, or all ones in 64-bit code: the mask of RIP.</summary>
    public ulong RipMask;

    /// <summary>Tag of data accesses of the current privilege (<see cref="Memory.TlbTag"/>).</summary>
    public ulong DataTag;

    /// <summary>Tag of the processor's own (implicit supervisor) accesses: descriptor tables, TSS, IDT.</summary>
    public ulong SystemTag;

    /// <summary>Tag of instruction fetches.</summary>
    public ulong CodeTag;

    /// <summary>Who data accesses are made by, when <see cref="DataTag"/> says <see cref="Memory.TlbTag.Slow"/>.</summary>
    public byte SlowWho;

    /// <summary>1 when CR0.AM, RFLAGS.AC and CPL 3 ask for #AC.</summary>
    public byte AlignmentCheck;

    /// <summary>1 when DR7 arms a data breakpoint.</summary>
    public byte DataBreakpoints;

    /// <summary>1 when DR7 arms an instruction breakpoint.</summary>
    public byte CodeBreakpoints;

    // ---- host code's own (see Translator) ----

    /// <summary>The arithmetic flags when <see cref="FlagRecipe"/> is 0 (see <see cref="Translator.HostFlags"/>).</summary>
    public uint HostFlags;

    /// <summary>How the arithmetic flags are made of <see cref="FlagA"/>, <see cref="FlagB"/> and <see cref="FlagCarry"/> while host code runs: a <see cref="Translator.Recipe"/>.</summary>
    public uint FlagRecipe;

    /// <summary>CF before the operation of a recipe that needs it, 0 or 1.</summary>
    public uint FlagCarry;

    /// <summary>Operands of the operation that the flags come from.</summary>
    public ulong FlagA, FlagB;

    /// <summary>While host code runs: instructions left before <see cref="StopAt"/>. A block takes off what it is going to execute.</summary>
    public ulong Left;

    /// <summary>What a page of host code must have been checked under to be run: tag, mode and epoch (see <see cref="Translator.CodePage"/>).</summary>
    public ulong Stamp;

    /// <summary>Where host code's stack begins and how deep predicted returns may go.</summary>
    public ulong StackBase, StackLimit;

    /// <summary>Not zero: a linear page may be mapped elsewhere, so no RET may go where the last CALL came from without a look.</summary>
    public uint ForgetReturns;

    /// <summary>The edge of a block over which host code came back, because it leads nowhere yet; or null.</summary>
    public Translator.Edge* LinkFrom;

    /// <summary>Target of the CALL that host code is executing.</summary>
    public ulong JumpTarget;

    /// <summary>A host register that a routine has to put aside.</summary>
    public ulong Saved;

    /// <summary>The tag of data accesses under which the windows of kernel and of user code were filled, and how many were since (see <see cref="Translator.TlbWindow"/>).</summary>
    public fixed ulong WindowTag[2];
    public fixed ulong WindowFills[2];
    public ulong WindowFillsBeforeAc;

    // ---- events ----

    /// <summary>Bits of <see cref="Request"/>, set by any thread with Interlocked, looked at between blocks.</summary>
    public int Requests;

    public InterruptShadow Shadow;
    public Activity Activity;

    /// <summary>1 while in System Management Mode.</summary>
    public byte InSmm;

    /// <summary>1 when the SMI that led to SMM came while NMIs were blocked.</summary>
    public byte SmmInsideNmi;

    /// <summary>1 while RSM loads control registers: their setters leave the TLB alone, RSM sees to it.</summary>
    public byte KeepTranslations;

    public byte NmiMasked;
    public byte NmiPending;
    public byte NmiInjected;
    public byte SmiPending;
    public byte InitPending;
    public byte SipiPending;
    public byte SipiVector;

    /// <summary>1 while in an SVM guest (L2).</summary>
    public byte GuestMode;

    /// <summary>SVM global interrupt flag.</summary>
    public byte Gif;

    /// <summary>1 when a triple fault waits to be reported.</summary>
    public byte TripleFault;

    /// <summary>The fault that the current instruction raised, valid after <see cref="Flow.Abort"/> with <see cref="AbortReason.Fault"/>.</summary>
    public FaultRecord Fault;

    /// <summary>Why the last instruction was aborted.</summary>
    public AbortReason Abort;

    /// <summary>
    /// The event whose delivery began and did not end: what nested SVM reports in EXITINTINFO and KVM as injected. Outside a delivery its kind is
    /// None, unless user space has to supply data first; then <see cref="Events.Delivery.Resume"/> begins it again.
    /// </summary>
    public EventRecord Delivering;

    /// <summary>
    /// Asked before each event while <see cref="GuestMode"/> is set (null: nobody asks): true when it made a #VMEXIT of the event, which is then
    /// not delivered. While it runs, <see cref="Delivering"/> is still the event whose delivery raised this one.
    /// </summary>
    public delegate*<CpuState*, EventRecord*, bool> InterceptEvent;

    /// <summary>DR6 bits of debug traps to report after the current instruction (BS, B0-B3, BT).</summary>
    public uint PendingDebug;

    /// <summary>Control registers when the SMI came: translations stay valid if RSM restores the same.</summary>
    public ulong SmmCr0, SmmCr3, SmmCr4, SmmEfer;

    /// <summary>IA32_DEBUGCTL.BTF: RFLAGS.TF traps taken branches only. The next debug exception clears it. [SDM3 17.4.3]</summary>
    public byte StepsBranches;

    /// <summary>PAUSE instructions, so that some of them can yield.</summary>
    public uint Pauses;

    /// <summary>Instructions completed since the processor was created.</summary>
    public ulong Retired;

    /// <summary>The run stops before <see cref="Retired"/> would pass this number.</summary>
    public ulong StopAt;

    /// <summary>Changes at every exit to user space, injected event and failed fetch; a cached block of an older epoch is compared with memory before it runs.</summary>
    public uint Epoch;

    /// <summary>What the host's vector registers hold while host code runs (see <see cref="Translator.VectorRoutines"/>); 0 outside.</summary>
    public uint VectorsHeld;

    /// <summary>1 while the host's x87 unit holds the guest's (see <see cref="Translator.X87Routines"/>), but for its pointers; 0 outside host code.</summary>
    public uint X87Held;

    /// <summary>1: the last STI of host code set IF, and shielded the instruction behind it without a word in <see cref="Shadow"/>.</summary>
    public uint QuietSti;

    /// <summary>Not zero: host code came to a block that the interpreter has to execute.</summary>
    public uint LeaveToInterpreter;

    /// <summary>A place in host code that is to be changed so that it searches the TLB without a window, and where it does so; 0: none.</summary>
    public nint WindowlessSite, WindowlessSearch;

    /// <summary>Where a reference to the <see cref="Processor"/> lies that this state belongs to.</summary>
    public nint Owner;

    /// <summary>Bounce buffer for accesses that have no single host address.</summary>
    public fixed byte Bounce[64];

    public ulong BounceLinear;

    public const int VectorOffset = 256, FxOffset = 768, ScratchOffset = 1280;
    /// <summary>Linear address that <see cref="Memory.SegmentCheck.Operand"/> computed.</summary>
    public ulong SegmentLinear;

    /// <summary>The value of an access on the slow path.</summary>
    public fixed byte SlowValue[64];

    /// <summary>Version of the code page that a read-modify-write is changing; null outside one.</summary>
    public uint* TrackedModify;

    public const int MmioEntries = 8;

    /// <summary>The entries of <see cref="Memory.MmioTlb"/>, of 32 bytes each.</summary>
    public fixed ulong MmioTlb[MmioEntries * 4];

    /// <summary>Where the data TLB starts, in bytes from the start of this struct.</summary>
    public const int DtlbOffset = 4096;
}
