namespace Akvam.Debugger.Smram;

/// <summary>How a state-save image is laid out. All are 512 bytes at SMBASE + FE00h.</summary>
public enum SmramFormat
{
    /// <summary>AMD64's map, which KVM, QEMU and Bochs all use for processors with long mode. [APM2 10.2.3]</summary>
    Amd64,

    /// <summary>KVM's map for processors without long mode: segment attributes are a descriptor's upper dword.</summary>
    Kvm32,

    /// <summary>QEMU's own processor, 32-bit builds: the same places, but attributes are 16 bits in a dword.</summary>
    Qemu32,

    /// <summary>Bochs, 32-bit builds: attributes in the record's second word, with a bit that says whether they are valid, and EFER.</summary>
    Bochs32,

    /// <summary>Intel's P6 family: attributes in the record's second word, and words of its own at 7F18h to 7F2Bh.</summary>
    P6,
}
