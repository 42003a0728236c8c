using Akvam.Abi;

namespace Akvam;

/// <content>KVM_TRANSLATE. [KVM 4.15]</content>
public sealed unsafe partial class Vcpu
{
    /// <summary>Where a linear address leads by the current paging mode; <c>valid</c> is 0 if nowhere. KVM does not look at the rights: <c>writeable</c> is always 1, <c>usermode</c> 0.</summary>
    public kvm_translation Translate(ulong linearAddress)
    {
        lock (_gate)
        {
            State();
            bool valid = _processor.TryTranslate(linearAddress, out ulong gpa);
            return new kvm_translation
            {
                linear_address = linearAddress,
                physical_address = valid ? gpa : ulong.MaxValue,
                valid = valid ? (byte)1 : (byte)0,
                writeable = 1,
            };
        }
    }
}
