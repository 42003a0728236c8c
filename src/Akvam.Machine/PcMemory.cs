using Akvam.Abi;

namespace Akvam.Machine;

/// <summary>The memory slots of the board in both address spaces: RAM, the firmware's ROM, and the SMRAM window.</summary>
/// <remarks>Processors in SMM see address space 1 [KVM 4.35]. It has the same RAM, and the window at A0000h by other rules.</remarks>
internal sealed class PcMemory : IGuestMemory
{
    private const uint ConventionalSlot = 0, ExtendedSlot = 1, HighSlot = 2, RomSlot = 3, WindowSlot = 4;
    private const uint SmmSpace = 1u << 16;
    private const ulong RomEnd = 0x1_0000_0000;

    private readonly Vm _vm;
    private readonly GuestMemory _low;
    private readonly List<KeyValuePair<ulong, GuestMemory>> _pieces = [];
    private bool _inSmm, _outside;

    public PcMemory(Vm vm, GuestLayout layout)
    {
        _vm = vm;
        Layout = layout;
        _low = vm.AllocateMemory(layout.LowBytes);
        _pieces.Add(new(0, _low));
        GuestMemory? high = layout.HighBytes > 0 ? vm.AllocateMemory(layout.HighBytes) : null;
        if (high is not null)
        {
            _pieces.Add(new(GuestLayout.HighStart, high));
        }

        foreach (uint space in (ReadOnlySpan<uint>)[0, SmmSpace])
        {
            vm.MapMemory(space | ConventionalSlot, 0, _low, 0, GuestLayout.SmramStart);
            vm.MapMemory(space | ExtendedSlot, GuestLayout.SmramEnd, _low, GuestLayout.SmramEnd);
            if (high is not null)
            {
                vm.MapMemory(space | HighSlot, GuestLayout.HighStart, high);
            }
        }
    }

    public GuestLayout Layout { get; }

    /// <summary>All memory with its guest-physical address.</summary>
    public IReadOnlyList<KeyValuePair<ulong, GuestMemory>> Pieces => _pieces;

    public Span<byte> Slice(ulong address, int length) => _low.Span(address, length);

    /// <summary>Puts a firmware image right below 4 GiB, read-only.</summary>
    public void AddRom(ReadOnlySpan<byte> image)
    {
        GuestMemory rom = _vm.AllocateMemory((ulong)image.Length);
        _pieces.Add(new(RomEnd - rom.Size, rom));
        image.CopyTo(rom.Span(0, image.Length));
        foreach (uint space in (ReadOnlySpan<uint>)[0, SmmSpace])
        {
            _vm.MapMemory(space | RomSlot, RomEnd - rom.Size, rom, flags: KvmMemory.KVM_MEM_READONLY);
        }
    }

    /// <summary>Shows or hides the RAM behind A0000h-BFFFFh.</summary>
    /// <param name="inSmm">To processors in SMM.</param>
    /// <param name="outside">To processors outside of it.</param>
    public void SetSmram(bool inSmm, bool outside)
    {
        Show(SmmSpace | WindowSlot, ref _inSmm, inSmm);
        Show(WindowSlot, ref _outside, outside);
    }

    private void Show(uint slot, ref bool shown, bool show)
    {
        if (shown == show)
        {
            return;
        }

        shown = show;
        if (show)
        {
            _vm.MapMemory(slot, GuestLayout.SmramStart, _low, GuestLayout.SmramStart, GuestLayout.SmramEnd - GuestLayout.SmramStart);
        }
        else
        {
            _vm.SetUserMemoryRegion(new kvm_userspace_memory_region { slot = slot });
        }
    }
}
