using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu;

/// <summary>One virtual x86-64 processor. Its parts are spread over folders by subject: state, paging, events, SMM, the engine.</summary>
/// <remarks>Valid because <see cref="State"/> is allocated in the constructor and freed in <see cref="Dispose"/>, when nothing runs it any more.</remarks>
public sealed unsafe partial class Processor : IDisposable
{
    private readonly GCHandle _self;

    public Processor(ProcessorGroup group, IProcessorBus bus, int id)
    {
        Group = group;
        Bus = bus;
        Id = id;
        nuint size = CpuState.DtlbOffset + (Mem.DtlbEntries * (nuint)sizeof(TlbEntry));
        State = (CpuState*)NativeMemory.AlignedAlloc(size, 4096);
        NativeMemory.Clear(State, size);
        _self = GCHandle.Alloc(this);
        State->Owner = GCHandle.ToIntPtr(_self);
    }

    public CpuState* State { get; private set; }

    public ProcessorGroup Group { get; }

    public IProcessorBus Bus { get; }

    public int Id { get; }

    /// <summary>The processor that a state belongs to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Processor Of(CpuState* s) => Unsafe.As<Processor>(GCHandle.FromIntPtr(s->Owner).Target!);

    public void Dispose()
    {
        if (State != null)
        {
            NativeMemory.AlignedFree(State);
            State = null;
            _self.Free();
        }
    }
}
