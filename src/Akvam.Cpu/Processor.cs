using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Diagnostics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Akvam.Cpu.Svm;
using Akvam.Cpu.Translator;

namespace Akvam.Cpu;

/// <summary>One virtual x86-64 processor. Its parts are spread over folders by subject: state, paging, events, SMM, the engine.</summary>
/// <remarks>Valid because <see cref="State"/> is allocated in the constructor and freed in <see cref="Dispose"/>, when nothing runs it any more.</remarks>
public sealed unsafe partial class Processor : IDisposable
{
    /// <summary>Just this processor, where the collector does not move it: so <see cref="Of"/> is a load, also in code that is compiled ahead.</summary>
    private readonly Processor[] _self = GC.AllocateArray<Processor>(1, pinned: true);
    private readonly GCHandle _root;
    private int _inGuest;

    /// <summary>It has been in the guest since it last forgot all translations.</summary>
    private bool _holdsTranslations = true;

    public Processor(ProcessorGroup group, IProcessorBus bus, int id, CodeCacheSizes? cacheSizes = null)
    {
        CacheSizes = cacheSizes ?? new CodeCacheSizes();
        Group = group;
        Bus = bus;
        Id = id;
        nuint size = JumpTable.End;
        State = (CpuState*)NativeMemory.AlignedAlloc(size, 4096);
        NativeMemory.Clear(State, size);
        TlbWindow.Initialize(State);
        _self[0] = this;
        _root = GCHandle.Alloc(_self);
        State->Owner = (nint)Unsafe.AsPointer(ref _self[0]);
        Contexts = new ContextTable(this);
        Blocks = new BlockCache(this);
        ForgetTranslations();
        Reset();
        group.Add(this);
    }

    public CpuState* State { get; private set; }

    public ProcessorGroup Group { get; }

    public IProcessorBus Bus { get; }

    public int Id { get; }

    /// <summary>True for the processor that starts at the reset vector; the others wait for INIT and SIPI.</summary>
    public bool IsBootstrap { get; set; } = true;

    /// <summary>Where events are reported; null: nowhere.</summary>
    public ITraceSink? Trace { get; set; }

    internal ContextTable Contexts { get; }

    internal BlockCache Blocks { get; }

    internal CodeCacheSizes CacheSizes { get; }

    /// <summary>Where the last page table was; null, or a slot that is there.</summary>
    internal MemorySlot? TableSlot { get; set; }

    /// <summary>What it keeps of L1 while an SVM guest runs.</summary>
    public NestedState Nested { get; } = new();

    /// <summary>True while guest code may be executing; a full barrier when it changes.</summary>
    internal bool InGuest
    {
        get => Volatile.Read(ref _inGuest) != 0;
        set
        {
            _holdsTranslations |= value;
            Interlocked.Exchange(ref _inGuest, value ? 1 : 0);
        }
    }

    /// <summary>The processor that a state belongs to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Processor Of(CpuState* s) => Unsafe.AsRef<Processor>((void*)s->Owner);

    /// <summary>
    /// Drops everything derived from guest memory: a slot came, went or moved. Only while the processor stands still. Clients make and remove slots by the thousand before and
    /// after they run it, and its tables are large: what was not used is not cleared again.
    /// </summary>
    internal void ForgetTranslations()
    {
        // Page walks for the client use this alone.
        TableSlot = null;
        if (!_holdsTranslations)
        {
            return;
        }

        _holdsTranslations = false;
        TlbEntry* e = Mem.Entry(State, 0);
        for (int i = 0; i < Mem.DtlbEntries; i++)
        {
            TlbControl.ForgetEntry(e + i);
        }

        TlbWindow.ForgetAll(State);
        MmioTlb.ForgetAll(State);
        Contexts.ForgetAll();
        Blocks.Reset();
        TlbControl.UpdateTags(State);
    }

    /// <summary>
    /// Makes the next write to each page go the long way, where the dirty log sees it. Only while the processor stands still. What was made of code stays: clients read the
    /// log of a screen many times a second, and that of all memory while they migrate it.
    /// </summary>
    internal void ForgetWrites()
    {
        if (!_holdsTranslations)
        {
            return;
        }

        TlbEntry* e = Mem.Entry(State, 0);
        for (int i = 0; i < Mem.DtlbEntries; i++)
        {
            e[i].Write = e[i].Tracked = TlbEntry.Invalid;
        }

        TlbWindow.ForgetAll(State);
    }

    public void Dispose()
    {
        if (State != null)
        {
            Group.Remove(this);
            _translator?.Dispose();
            Blocks.Dispose();
            Nested.Dispose();
            NativeMemory.AlignedFree(State);
            State = null;
            _root.Free();
        }
    }
}
